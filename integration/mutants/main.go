// Command mutants removes one control at a time from the source, and demands that
// a test that it names turns red.
//
//	go run ./integration/mutants                      every mutant
//	go run ./integration/mutants -run 'decide/'       those whose names match
//	go run ./integration/mutants -budget 4m -seed 7   as many as fit, from a place in the list
//	go run ./integration/mutants -list                names, and the control of each
//
// A [Mutant] is data: a file, the exact text of a control, what replaces it, and the
// package and tests that must notice. It is not written into the tree: the changed
// file is in a temporary directory, and `-overlay` in GOFLAGS lets the compiler read it
// in place of the other. Programs that a test builds itself are changed as well.
//
// A mutant is red when a test that it names prints `--- FAIL`. The run fails for
//
//   - a mutant that stays green: a control without a test;
//   - one that is broken: its text is missing or there more than once, it does not
//     compile, it fails by a time-out, or no test is named in the failure, as when a
//     goroutine panics;
//   - tests that fail, or do not exist, without any mutant.
//
// To add one, append it to the table of its area: edge_decide.go and so on.
// `go test ./integration/mutants` looks at all of them without running one: each text
// must be there exactly once, and each named test must exist. So a change that moves a
// control says at once which mutant has to follow it.
//
// Nothing here is part of the product, and the program imports nothing of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
)

const (
	exitPassed = iota
	exitFailed
	exitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	name   *regexp.Regexp
	budget time.Duration // after it no mutant is begun; 0: none
	seed   uint64        // where in the list a run begins
	list   bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitPassed
	}
	if err == nil {
		var passed bool
		if passed, err = o.run(ctx, stdout); err == nil && !passed {
			return exitFailed
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "mutants:", err)
		return exitUsage
	}
	return exitPassed
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("mutants", flag.ContinueOnError)
	f.SetOutput(stderr)
	pattern := f.String("run", "", "run the mutants whose name matches this `regexp`")
	f.DurationVar(&o.budget, "budget", 0, "begin no mutant after this time; 0 runs all")
	f.Uint64Var(&o.seed, "seed", 0, "begin at another place of the list for each number")
	f.BoolVar(&o.list, "list", false, "print the mutants and run none")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: see -help", f.Arg(0))
	}
	if o.budget < 0 {
		return o, fmt.Errorf("-budget %v: want a time above 0", o.budget)
	}
	if o.name, err = regexp.Compile(*pattern); err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	return o, nil
}

func (o options) run(ctx context.Context, stdout io.Writer) (passed bool, err error) {
	chosen := choose(all(), o.name, o.seed)
	if len(chosen) == 0 {
		return false, fmt.Errorf("no mutant matches -run %q", o.name)
	}
	if o.list {
		for _, m := range chosen {
			fmt.Fprintf(stdout, "%-44s %s\n", m.Name, m.Control)
		}
		return true, nil
	}
	root, err := gatewaytest.Root()
	if err != nil {
		return false, err
	}
	scratch, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return false, fmt.Errorf("making the directory of changed files: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	r := newRunner(root, scratch, stdout)
	if o.budget > 0 {
		r.until = time.Now().Add(o.budget)
	}
	return r.runAll(ctx, chosen), nil
}
