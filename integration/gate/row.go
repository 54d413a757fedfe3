package main

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// A named is a test that has to have run and passed, with at least so many
// subtests; its parent's pass alone does not show that it looked at something.
type named struct {
	pkg, test string
	least     int
}

// A look is what the gate finds out by itself, from the tree and the results.
type look func(*inputs) (evidence, faults []string)

// A row is one criterion: green when all that it names has run and passed.
type row struct {
	id, title string
	tests     []named
	looks     []look
	steps     []string // of the developer loop
	needs     []named  // run for the looks' sake, which judge them themselves
}

// inputs are all that a verdict rests on, so that a test can break any of it.
type inputs struct {
	tree    fs.FS
	hash    string // of the tree now
	results *results
}

// A verdict is a row with what was found.
type verdict struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Passed   bool     `json:"passed"`
	Evidence []string `json:"evidence"`
	Faults   []string `json:"faults"`
	Command  string   `json:"command"` // repeats this row alone
	Tests    []string `json:"tests"`   // the go test lines behind it
}

// judge looks at everything that a row names, so that one run shows all faults.
func judge(r row, in *inputs) verdict {
	v := verdict{ID: r.id, Title: r.title, Command: "go run ./integration/gate --row " + r.id, Tests: commands(slices.Concat(r.tests, r.needs)), Evidence: []string{}, Faults: []string{}}
	for _, n := range r.tests {
		evidence, fault := judgeTest(n, in.results)
		v.Evidence, v.Faults = appendText(v.Evidence, evidence), appendText(v.Faults, fault)
	}
	for _, s := range r.steps {
		evidence, fault := judgeStep(s, in.results)
		v.Evidence, v.Faults = appendText(v.Evidence, evidence), appendText(v.Faults, fault)
	}
	for _, l := range r.looks {
		evidence, faults := l(in)
		v.Evidence, v.Faults = append(v.Evidence, evidence...), append(v.Faults, faults...)
	}
	if len(in.results.trees) == 0 || slices.ContainsFunc(in.results.trees, func(t string) bool { return t != in.hash }) {
		v.Faults = append(v.Faults, "the results are of other files than these: run the tests again")
	}
	if len(v.Evidence) == 0 {
		v.Faults = append(v.Faults, "nothing was looked at")
	}
	v.Passed = len(v.Faults) == 0
	return v
}

func appendText(to []string, text string) []string {
	if text == "" {
		return to
	}
	return append(to, text)
}

// judgeTest: a test that did not run is as red as one that failed.
func judgeTest(n named, r *results) (evidence, fault string) {
	name := n.test + " in " + n.pkg
	o := r.tests[testID{n.pkg, n.test}]
	below := r.below(n.pkg, n.test)
	var bad []string
	for rest, sub := range below {
		if !sub.ok() {
			bad = append(bad, rest)
		}
	}
	slices.Sort(bad)
	switch {
	case o == nil || o.ran == 0:
		return "", name + " did not run"
	case o.left > 0:
		return "", name + " was left out"
	case !o.ok() && len(bad) == 0:
		return "", name + " failed"
	case !o.ok() || len(bad) > 0:
		return "", fmt.Sprintf("%s failed: %s", name, strings.Join(bad, ", "))
	case len(below) < n.least:
		return "", fmt.Sprintf("%s ran %d cases, want at least %d", name, len(below), n.least)
	}
	evidence = name + " passed"
	if len(below) > 0 {
		evidence += fmt.Sprintf(" with %d cases", len(below))
	}
	for _, text := range o.attrs["evidence"] {
		evidence += "; " + text
	}
	return evidence, ""
}

func judgeStep(name string, r *results) (evidence, fault string) {
	switch s := r.steps[name]; {
	case s == nil || !s.begun:
		return "", "step " + name + " of the developer loop did not run"
	case !s.ended:
		return "", "step " + name + " of the developer loop did not end"
	case !s.passed:
		return "", "step " + name + " of the developer loop failed: " + s.output
	}
	return "step " + name + " of the developer loop passed", ""
}

// commands are the `go test` lines of what a row names, for who wants to run the
// tests without the gate.
func commands(tests []named) []string {
	var packages []string
	names := map[string][]string{}
	for _, n := range tests {
		if !slices.Contains(packages, n.pkg) {
			packages = append(packages, n.pkg)
		}
		first, _, _ := strings.Cut(n.test, "/")
		if name := regexp.QuoteMeta(first); !slices.Contains(names[n.pkg], name) {
			names[n.pkg] = append(names[n.pkg], name)
		}
	}
	all := []string{}
	for _, p := range packages {
		all = append(all, fmt.Sprintf("go test -count=1 -run '^(%s)$' %s", strings.Join(names[p], "|"), p))
	}
	return all
}
