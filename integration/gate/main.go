// Command gate shows whether this repository keeps what it promises about
// security: fifteen criteria and the P0 list, row by row, with evidence.
//
//	go run ./integration/gate                     every row; runs what they need
//	go run ./integration/gate --row 5             one row alone
//	go run ./integration/gate --format markdown   or json, or text
//	go run ./integration/gate --results FILE      judges a run that was recorded
//	go run ./integration/gate --loop              the developer loop, at each save
//	go run ./integration/gate --loop --full       the same before a commit
//
// A row is green when each test that it names has run and passed: one that did
// not run is as red as one that failed. The exit code is 0 when all rows are
// green, 1 when one is red, and 2 when the gate could not be run. What only a
// person can say is printed as open and is no part of the result.
//
// It is a program of the repository for its developers and auditors, and looks at
// the repository that it is started in. It imports nothing of the product, so
// that it can also judge a product that does not compile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

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
	rows, steps, results []string
	format, record       string
	loop, full           bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitPassed
	}
	if err == nil {
		var root string
		if root, err = gatewaytest.Root(); err == nil {
			passed := false
			if passed, err = o.run(ctx, root, stdout, stderr); err == nil && !passed {
				return exitFailed
			}
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "gate:", err)
		return exitUsage
	}
	return exitPassed
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("gate", flag.ContinueOnError)
	f.SetOutput(stderr)
	list := func(into *[]string) func(string) error {
		return func(text string) error {
			*into = append(*into, strings.Split(text, ",")...)
			return nil
		}
	}
	f.Func("row", "judge only these rows: 5 or P0.2, separated by commas", list(&o.rows))
	f.Func("results", "judge what this `file` recorded, and run nothing; may be given again", list(&o.results))
	f.StringVar(&o.format, "format", "text", "text, json or markdown")
	f.BoolVar(&o.loop, "loop", false, "run the developer loop in place of the gate")
	f.BoolVar(&o.full, "full", false, "with --loop: everything, as before a commit")
	f.Func("steps", "with --loop: only these steps, separated by commas", list(&o.steps))
	f.StringVar(&o.record, "record", "", "append what ran to this `file`, for --results")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: see --help", f.Arg(0))
	case !o.loop && (o.full || len(o.steps) > 0):
		return o, errors.New("--full and --steps are of --loop")
	case o.loop && (len(o.rows) > 0 || len(o.results) > 0):
		return o, errors.New("--row and --results are of the gate, not of --loop")
	case o.record != "" && len(o.results) > 0:
		return o, errors.New("--results runs nothing that --record could note")
	case formats[o.format] == nil:
		return o, fmt.Errorf("format %q: want text, json or markdown", o.format)
	}
	return o, nil
}

func (o options) run(ctx context.Context, root string, stdout, stderr io.Writer) (passed bool, err error) {
	r := &runner{root: root, show: stderr, results: newResults(), full: o.full || !o.loop}
	if o.record != "" {
		file, openErr := os.OpenFile(o.record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if openErr != nil {
			return false, fmt.Errorf("opening record: %w", openErr)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		r.record = file
	}
	if o.loop {
		steps, err := chosen(o.steps, o.full)
		if err != nil {
			return false, err
		}
		if err := r.loop(ctx, steps); err != nil {
			fmt.Fprintln(stderr, err)
			return false, nil
		}
		return true, nil
	}
	wanted, wantedP0, err := pick(o.rows)
	if err != nil {
		return false, err
	}
	if len(o.results) > 0 {
		err = r.results.readFiles(o.results)
	} else {
		err = r.runRows(ctx, slices.Concat(wanted, wantedP0))
	}
	if err != nil {
		return false, err
	}
	in := &inputs{tree: os.DirFS(root), results: r.results}
	if in.hash, err = treeHash(ctx, root); err != nil {
		return false, err
	}
	rep := judgeAll(wanted, wantedP0, in)
	rep.Commit = commit(ctx, root)
	return rep.Passed, formats[o.format](stdout, rep)
}

// pick gives the rows of both lists, or those of the ids.
func pick(ids []string) (fromCriteria, fromP0 []row, err error) {
	if len(ids) == 0 {
		return criteria, blockers, nil
	}
	for _, id := range ids {
		same := func(r row) bool { return strings.EqualFold(r.id, id) }
		if i := slices.IndexFunc(criteria, same); i >= 0 {
			fromCriteria = append(fromCriteria, criteria[i])
		} else if i := slices.IndexFunc(blockers, same); i >= 0 {
			fromP0 = append(fromP0, blockers[i])
		} else {
			return nil, nil, fmt.Errorf("no row is called %q: want 1 to 15, or P0.1 to P0.5", id)
		}
	}
	return fromCriteria, fromP0, nil
}

func (r *results) readFiles(names []string) error {
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("reading record: %w", err)
		}
		err = errors.Join(r.read(file), file.Close())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// commit names the last commit, and whether files differ from it.
func commit(ctx context.Context, root string) string {
	out, err := output(ctx, root, "git", "describe", "--always", "--dirty", "--abbrev=12")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
