package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The bounds of one step. The first program that links Caddy in an empty cache takes
// minutes on two cores; tests that are named for a mutant take seconds.
const (
	buildTimeout = 10 * time.Minute
	testTimeout  = 2 * time.Minute
	killTimeout  = testTimeout + 30*time.Second
)

// runner judges mutants one after another. Tests wait more than they compute, but some
// measure their own speed, and two at once would disturb each other.
type runner struct {
	root, scratch string
	out           io.Writer
	until         time.Time // after it no mutant is begun; zero: no end
	build         time.Duration
	test          time.Duration // what the test binary allows itself
	kill          time.Duration // what the runner allows it

	unchanged map[string]string // by package, tags and tests: what is wrong, "" for nothing
}

func newRunner(root, scratch string, out io.Writer) *runner {
	return &runner{
		root: root, scratch: scratch, out: out,
		build: buildTimeout, test: testTimeout, kill: killTimeout,
		unchanged: map[string]string{},
	}
}

// runAll judges the mutants in order, and reports whether each that was run is red.
func (r *runner) runAll(ctx context.Context, mutants []Mutant) bool {
	count := map[verdict]int{}
	ran := 0
	for _, m := range mutants {
		if ctx.Err() != nil || !r.until.IsZero() && time.Now().After(r.until) {
			break
		}
		start := time.Now()
		result := r.one(ctx, &m)
		ran++
		count[result.verdict]++
		fmt.Fprintf(r.out, "%-6s %4.0fs  %-44s %s\n", result.verdict, time.Since(start).Seconds(), m.Name, result.test)
		if result.detail != "" {
			fmt.Fprintln(r.out, "\t"+strings.ReplaceAll(result.detail, "\n", "\n\t"))
		}
	}
	fmt.Fprintf(r.out, "%d of %d mutants ran: %d red, %d green, %d broken\n",
		ran, len(mutants), count[red], count[green], count[broken])
	return ctx.Err() == nil && ran > 0 && count[red] == ran
}

// one judges one mutant.
func (r *runner) one(ctx context.Context, m *Mutant) result {
	changed, err := m.apply(r.root)
	if err != nil {
		return result{broken, "", err.Error()}
	}
	tests := strings.Split(m.Tests, "|")
	if wrong := r.passes(ctx, m, tests); wrong != "" {
		return result{broken, "", wrong}
	}
	overlay, err := r.overlay(m, changed)
	if err != nil {
		return result{broken, "", err.Error()}
	}
	flags := "-overlay=" + overlay
	binary := filepath.Join(r.scratch, "changed.test")
	if output, err := r.compile(ctx, m, binary, flags); err != nil {
		return result{broken, "", fmt.Sprintf("does not compile: %v\n%s", err, lastLines(output))}
	}
	output, err, expired := r.execute(ctx, m, binary, flags)
	return judge(output, tests, err, expired)
}

// passes runs the tests of a mutant without it, once for each set of tests. It returns
// what is wrong, or "".
func (r *runner) passes(ctx context.Context, m *Mutant, tests []string) string {
	key := strings.Join([]string{m.Package, m.Tags, m.Tests}, " ")
	if wrong, ok := r.unchanged[key]; ok {
		return wrong
	}
	binary := filepath.Join(r.scratch, strings.NewReplacer("/", "_", ",", "_").Replace(m.Package+" "+m.Tags)+".test")
	if _, err := os.Stat(binary); errors.Is(err, os.ErrNotExist) {
		if output, err := r.compile(ctx, m, binary, ""); err != nil {
			return fmt.Sprintf("the package does not compile without the mutant: %v\n%s", err, lastLines(output))
		}
	}
	output, err, expired := r.execute(ctx, m, binary, "")
	r.unchanged[key] = judgeUnchanged(output, tests, err, expired)
	return r.unchanged[key]
}

// overlay writes the changed file, and the file that makes the compiler read it.
func (r *runner) overlay(m *Mutant, changed []byte) (string, error) {
	file := filepath.Join(r.scratch, "changed"+filepath.Ext(m.File))
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		return "", fmt.Errorf("writing the changed file: %w", err)
	}
	text, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(r.root, filepath.FromSlash(m.File)): file},
	})
	if err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	overlay := filepath.Join(r.scratch, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	return overlay, nil
}
