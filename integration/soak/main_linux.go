// Soak runs a small fleet of real processes for hours, disturbs it on a schedule, and
// counts what must never happen. Three hosts, each with a gateway and an orchestrator, two
// of them with a pool manager and a demo engine; the orchestrators see each other through
// links that can be cut.
//
//	go run ./integration/soak -duration 2h -report soak.txt
//
// The exit code is 1 when a rule is broken: an unauthorised request was answered, a valid
// one failed without a fault, an acknowledged task was lost or ended twice, a leader was
// elected without a fault, a reader missed an event or saw one twice, or the fleet did not
// recover. Beside the report it writes the figures as JSON, and every 10 s memory,
// goroutines, descriptors and disk of each process as CSV. -cases runs single cases at one
// gateway instead. It is no benchmark: the load is mild, and everything is on one machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	duration, calm, every time.Duration
	rate                  float64
	report, cases         string
	dir, programs         string
	seed                  uint64
	keep                  bool
}

// errBroken is a run in which a rule was broken; the report says which.
var errBroken = errors.New("a rule was broken")

const (
	// maxDuration bounds the samples that are kept: a day of one each 10 s.
	maxDuration = 24 * time.Hour
	// maxRate is more than a machine with two cores takes beside the processes.
	maxRate = 200
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal("soak: ", err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "soak-"); err != nil {
			return fmt.Errorf("making a folder for the processes: %w", err)
		}
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("making a folder for the processes: %w", err)
	}
	if s.programs == "" {
		s.programs = s.dir
		if err := build(ctx, s.dir); err != nil {
			return err
		}
	}
	if s.cases != "" {
		err = runCases(ctx, s, out)
	} else {
		err = soak(ctx, s, out)
	}
	if err == nil && !s.keep {
		return os.RemoveAll(s.dir)
	}
	fmt.Fprintln(out, "the processes' files are in", s.dir)
	return err
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&s.duration, "duration", 2*time.Hour, "how long the load goes on, at most 24h")
	flags.DurationVar(&s.calm, "calm", time.Hour, "the first part, without faults, in which elections are counted; at most three quarters of -duration")
	flags.DurationVar(&s.every, "every", time.Minute, "from one fault to the next, after the calm part")
	flags.Float64Var(&s.rate, "rate", 4, "calls a second, valid and hostile ones together")
	flags.StringVar(&s.report, "report", "soak.txt", "the report; the same name with .json and .csv has the figures and the samples")
	flags.StringVar(&s.cases, "cases", "", "cases to run instead, of "+strings.Join(caseNames(), ","))
	flags.StringVar(&s.dir, "dir", "", "a folder for the processes' files, on a disk that may be written to all the time; empty: a temporary one")
	flags.StringVar(&s.programs, "programs", "", "a folder with llorch, orchestratord and poolmanagerd; empty: they are built")
	flags.Uint64Var(&s.seed, "seed", rand.Uint64(), "chooses the order of the faults and their times")
	flags.BoolVar(&s.keep, "keep", false, "keep the processes' files; they are kept after a broken rule as well")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.calm = min(s.calm, s.duration*3/4)
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("reading the flags: unexpected argument %q", flags.Arg(0))
	case s.duration <= 0 || s.duration > maxDuration || s.calm < 0 || s.every <= 0:
		return s, fmt.Errorf("reading the flags: want times over 0, and -duration of at most %v", maxDuration)
	case !(s.rate > 0 && s.rate <= maxRate):
		return s, fmt.Errorf("reading the flags: want -rate over 0 and at most %d", maxRate)
	}
	return s, nil
}
