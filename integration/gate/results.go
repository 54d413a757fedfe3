package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// modulePath is cut off package paths: ./poolmanager says the same in a command.
const modulePath = "github.com/llorch/gateway"

// maxLine bounds one line of a record: a test's whole output may be one.
const maxLine = 4 << 20

// The actions of a record beside those of `go test -json`.
const (
	actionTree  = "tree"       // Tree: which files the record is about
	actionBegin = "step-begin" // Step: what follows belongs to it
	actionEnd   = "step-end"   // Step, Value: pass or fail, Output: why
)

// An event is one line of a record: `go test -json`'s, or one of ours.
type event struct {
	Action  string
	Package string  `json:",omitempty"`
	Test    string  `json:",omitempty"`
	Output  string  `json:",omitempty"`
	Elapsed float64 `json:",omitempty"` // seconds
	Key     string  `json:",omitempty"` // of testing.T.Attr
	Value   string  `json:",omitempty"`
	Step    string  `json:",omitempty"`
	Tree    string  `json:",omitempty"`
}

// A testID names a test, or with an empty test a package.
type testID struct{ pkg, test string }

// An outcome is how often a test ran, how it ended, and what it told of itself.
type outcome struct {
	ran, passed, failed, left int // left out by a skip
	attrs                     map[string][]string
}

// ok: it ran, passed as often as it ran, and did nothing else.
func (o *outcome) ok() bool {
	return o != nil && o.ran > 0 && o.passed == o.ran && o.failed == 0 && o.left == 0
}

// A stepResult is how a step of the developer loop ended.
type stepResult struct {
	begun, ended, passed bool
	failed               bool // in this run or an earlier one of the same record
	output               string
	packages             map[string]bool // that the step tested, and whether they passed
}

// results are what records say: of tests, of steps, and of which files.
type results struct {
	trees []string
	tests map[testID]*outcome
	steps map[string]*stepResult
	now   string // the step that the next events belong to
}

func newResults() *results {
	return &results{tests: map[testID]*outcome{}, steps: map[string]*stepResult{}}
}

// read adds a record. A line that is not one of a record is an error: half of a
// record is no evidence.
func (r *results) read(from io.Reader) error {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; scanner.Scan(); n++ {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil || e.Action == "" {
			return errors.Join(fmt.Errorf("reading record: line %d is no event of go test -json", n), err)
		}
		r.add(e)
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading record: %w", err)
	}
	return nil
}

func (r *results) add(e event) {
	switch e.Action {
	case actionTree:
		r.trees = append(r.trees, e.Tree)
	case actionBegin:
		r.now = e.Step
		s := r.step(e.Step)
		*s = stepResult{begun: true, failed: s.failed, packages: map[string]bool{}}
	case actionEnd:
		s := r.step(e.Step)
		s.failed = s.failed || e.Value != "pass"
		s.ended, s.passed, s.output = true, !s.failed, e.Output
		r.now = ""
	default:
		r.addTest(e)
	}
}

func (r *results) addTest(e event) {
	id := testID{shortPackage(e.Package), e.Test}
	o := r.tests[id]
	if o == nil {
		o = &outcome{attrs: map[string][]string{}}
		r.tests[id] = o
	}
	switch e.Action {
	case "run", "start": // start is a package's
		o.ran++
	case "pass":
		o.passed++
	case "fail":
		o.failed++
	case "skip":
		o.left++
	case "attr":
		o.attrs[e.Key] = append(o.attrs[e.Key], e.Value)
	}
	if e.Test == "" && r.now != "" && (e.Action == "pass" || e.Action == "fail") {
		r.step(r.now).packages[id.pkg] = e.Action == "pass"
	}
}

func (r *results) step(name string) *stepResult {
	if r.steps[name] == nil {
		r.steps[name] = &stepResult{packages: map[string]bool{}}
	}
	return r.steps[name]
}

// below lists the subtests of a test by what follows its name.
func (r *results) below(pkg, test string) map[string]*outcome {
	found := map[string]*outcome{}
	for id, o := range r.tests {
		if rest, ok := strings.CutPrefix(id.test, test+"/"); ok && id.pkg == pkg {
			found[rest] = o
		}
	}
	return found
}

// shortPackage makes ./poolmanager of the package's path.
func shortPackage(path string) string {
	if rest, ok := strings.CutPrefix(path, modulePath); ok {
		return "." + rest
	}
	return path
}
