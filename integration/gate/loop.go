package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A step is one part of the developer loop.
type step struct {
	name, what string
	atSave     bool // quick enough for each save; the others run before a commit
	run        func(*runner, context.Context) error
}

var allSteps = []step{
	{"format", "gofmt, on every Go file", true, (*runner).format},
	{"vet", "go vet, on what is built by a tag only, too", true, func(r *runner, ctx context.Context) error { return r.onAll(ctx, "go", "vet") }},
	{"staticcheck", "staticcheck, likewise", true, func(r *runner, ctx context.Context) error { return r.onAll(ctx, "go", "tool", "staticcheck") }},
	{"lint", "errorlint, bodyclose and sloglint, likewise", false, (*runner).lint},
	{"house", "secret lint, layers, documents and links", true, func(r *runner, ctx context.Context) error {
		return r.goTest(ctx, "-count=1", ".", "./integration/houserules")
	}},
	{"race", "tests with the race detector: of the packages that changed, or with --full of all but caddymodule/cli, without one test of a cluster", true, (*runner).race},
	{"tests", "every test, those against processes among them", false, func(r *runner, ctx context.Context) error {
		return r.goTest(ctx, "-count=1", "./...")
	}},
}

// racedTrees are tested with the race detector. The packages under integration
// start processes, which it does not see into.
var racedTrees = []string{"authmin", "caddymodule", "orchestrator", "poolmanager"}

// chosen are the steps of a loop: those named, or those for each save, or with
// full all but the one that the tests contain.
func chosen(names []string, full bool) ([]step, error) {
	var steps []step
	for _, s := range allSteps {
		switch {
		case len(names) > 0 && slices.Contains(names, s.name),
			len(names) == 0 && !full && s.atSave,
			len(names) == 0 && full && s.name != "house":
			steps = append(steps, s)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(allSteps, func(s step) bool { return s.name == name }) {
			return nil, fmt.Errorf("no step is called %q: want format, vet, staticcheck, lint, house, race or tests", name)
		}
	}
	return steps, nil
}

// loop runs steps to their end, so that one run shows all that is wrong.
func (r *runner) loop(ctx context.Context, steps []step) error {
	hash, err := treeHash(ctx, r.root)
	if err != nil {
		return err
	}
	if err := r.note(event{Action: actionTree, Tree: hash}); err != nil {
		return err
	}
	begun := time.Now()
	var failed []string
	var lines []string
	for _, s := range steps {
		start, word := time.Now(), "ok  "
		if err := r.runStep(ctx, s); err != nil {
			failed, word = append(failed, s.name), "FAIL"
		}
		lines = append(lines, fmt.Sprintf("%s %5.1fs  %s: %s", word, time.Since(start).Seconds(), s.name, s.what))
	}
	fmt.Fprintf(r.show, "\n%s\n%.1f s in all\n", strings.Join(lines, "\n"), time.Since(begun).Seconds())
	if len(failed) > 0 {
		return fmt.Errorf("developer loop: failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// runStep runs one step, and writes down how it ended.
func (r *runner) runStep(ctx context.Context, s step) error {
	fmt.Fprintf(r.show, "--- %s: %s\n", s.name, s.what)
	if err := r.note(event{Action: actionBegin, Step: s.name}); err != nil {
		return err
	}
	err := s.run(r, ctx)
	end := event{Action: actionEnd, Step: s.name, Value: "pass"}
	if err != nil {
		fmt.Fprintf(r.show, "%s: %v\n", s.name, err)
		end.Value, end.Output = "fail", firstLine(err.Error())
	}
	return errors.Join(err, r.note(end))
}

func (r *runner) format(ctx context.Context) error {
	names, err := files(ctx, r.root)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return path.Ext(n) != ".go" })
	found, err := output(ctx, r.root, "gofmt", append([]string{"-l"}, names...)...)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("not formatted, run gofmt -w: %s", strings.Join(strings.Fields(string(found)), " "))
	}
	return nil
}

// onAll runs a checker on every package, and with their tags on those that have one.
func (r *runner) onAll(ctx context.Context, command ...string) error {
	var errs []error
	for _, args := range [][]string{
		{"./..."}, {"-tags", "browser", "./integration/bypass"}, {"-tags", "rolling", "./integration/rolling"},
		{"-tags", "observability", "./integration/observability"}, {"-tags", "containers", "./integration/containers/..."},
		{"-tags", "packages", "./integration/packages"}, {"-tags", "failover", "./integration/cluster"}, {"-tags", "soak", "./integration/soak"},
		{"-tags", "upstreams", "./integration/attacks"},
	} {
		cmd := exec.CommandContext(ctx, command[0], slices.Concat(command[1:], args)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = r.root, r.show, r.show
		if err := cmd.Run(); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", strings.Join(command, " "), strings.Join(args, " "), err))
		}
	}
	return errors.Join(errs...)
}

// lint builds the module integration/lint and has go vet run it.
func (r *runner) lint(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "gate-lint-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tool := filepath.Join(dir, "lint")
	if _, err := output(ctx, filepath.Join(r.root, "integration", "lint"), "go", "build", "-o", tool, "."); err != nil {
		return err
	}
	return r.onAll(ctx, "go", "vet", "-vettool="+tool)
}

// race tests what changed since the last commit, or everything: when that was
// asked for, and when nothing changed.
func (r *runner) race(ctx context.Context) error {
	var packages []string
	if !r.full {
		names, err := changed(ctx, r.root)
		if err != nil {
			return err
		}
		packages = racedPackages(names)
	}
	if len(packages) == 0 {
		var err error
		if packages, err = r.allRaced(ctx); err != nil {
			return err
		}
	}
	// Vetted by another step. Linking without DWARF takes two thirds of the time.
	return r.goTest(ctx, append([]string{"-race", "-vet=off", "-ldflags=-w", "-skip", serverRace}, packages...)...)
}

// serverRace is a test of a cluster in one process, under load, in which nats-server 2.15.2
// has a data race of its own now and then: batchStagedDiff.commit against applyStreamMsgOp.
// It runs without the race detector only.
const serverRace = "^TestAnErasedTaskLeavesTheDisksOfACluster$"

// allRaced are the packages of racedTrees, but for the commands of caddymodule/cli: they
// start no goroutine, and their tests would take a minute.
func (r *runner) allRaced(ctx context.Context) ([]string, error) {
	args := []string{"list"}
	for _, tree := range racedTrees {
		args = append(args, "./"+tree+"/...")
	}
	list, err := output(ctx, r.root, "go", args...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(string(list)), func(name string) bool { return strings.HasSuffix(name, "/caddymodule/cli") }), nil
}

// racedPackages are the packages of the files that are tested with the race
// detector; test data counts for the package that it belongs to.
func racedPackages(names []string) []string {
	var packages []string
	for _, name := range names {
		folder, _, _ := strings.Cut(path.Dir(name), "/testdata")
		first, _, _ := strings.Cut(folder, "/")
		if slices.Contains(racedTrees, first) {
			packages = append(packages, "./"+folder)
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// raced holds the race step to all of its trees: the step at each save tests only
// what changed.
func raced(in *inputs) (evidence, faults []string) {
	s := in.results.steps["race"]
	if s == nil {
		return nil, nil // the row says that it did not run
	}
	for _, tree := range racedTrees {
		if !s.packages["./"+tree] {
			faults = append(faults, "the race detector did not run the tests of ./"+tree)
		}
	}
	return []string{fmt.Sprintf("%d packages tested with the race detector", len(s.packages))}, faults
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}
