package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// testLimit bounds one package's tests; the longest takes three minutes.
const testLimit = "15m"

// waitLimit is for what a test leaves behind that still holds the output open.
const waitLimit = 10 * time.Second

// A runner runs tests and steps, shows what is worth reading, and keeps what
// they said: in its results, and line by line in the record if there is one.
type runner struct {
	root    string
	show    io.Writer // for people
	record  io.Writer // nil: none
	results *results
	full    bool // of the loop: all packages, not those that changed
}

// note adds an event of our own.
func (r *runner) note(e event) error {
	r.results.add(e)
	if r.record == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing record: %w", err)
	}
	if _, err := r.record.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing record: %w", err)
	}
	return nil
}

// goTest runs go test and reads its events.
func (r *runner) goTest(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-timeout", testLimit}, args...)...)
	cmd.Dir, cmd.Stderr, cmd.WaitDelay = r.root, r.show, waitLimit
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("running go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("running go test: %w", err)
	}
	read := r.readEvents(out)
	_, _ = io.Copy(io.Discard, out) // so that it can end
	return errors.Join(read, cmd.Wait())
}

func (r *runner) readEvents(from io.Reader) error {
	p := newPrinter(r.show)
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	for scanner.Scan() {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			fmt.Fprintln(r.show, scanner.Text()) // go's own words
			continue
		}
		p.print(e)
		if err := r.note(e); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading go test: %w", err)
	}
	return nil
}

// runRows runs what some rows need. Timing tests run alone and first: other tests
// beside them are noise.
func (r *runner) runRows(ctx context.Context, rows []row) error {
	hash, err := treeHash(ctx, r.root)
	if err != nil {
		return err
	}
	if err := r.note(event{Action: actionTree, Tree: hash}); err != nil {
		return err
	}
	var timing, others []named
	var steps []string
	for _, w := range rows {
		for _, n := range slices.Concat(w.tests, w.needs) {
			if slices.ContainsFunc(timingTests, func(t timed) bool { return t.pkg == n.pkg && topTest(t.test) == topTest(n.test) }) {
				timing = append(timing, n)
			} else {
				others = append(others, n)
			}
		}
		steps = append(steps, w.steps...)
	}
	// A test that fails is for the rows to judge, so its error is not one of the run.
	for _, tests := range [][]named{timing, others} {
		if len(tests) > 0 {
			_ = r.goTest(ctx, testArgs(tests)...)
		}
	}
	for _, s := range allSteps {
		if slices.Contains(steps, s.name) {
			_ = r.runStep(ctx, s)
		}
	}
	return ctx.Err()
}

// testArgs are those of one go test for all of the tests. Never from the cache: it
// does not know which files a test's own processes read.
func testArgs(tests []named) []string {
	var names, packages []string
	for _, n := range tests {
		names = append(names, regexp.QuoteMeta(topTest(n.test)))
		packages = append(packages, n.pkg)
	}
	slices.Sort(names)
	slices.Sort(packages)
	pattern := "^(" + strings.Join(slices.Compact(names), "|") + ")$"
	return append([]string{"-count=1", "-run", pattern}, slices.Compact(packages)...)
}

func topTest(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}
