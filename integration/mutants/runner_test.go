package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// scratchFiles are a package with one control, and a test for each way to fail.
var scratchFiles = map[string]string{
	"go.mod": "module scratch\n\ngo 1.26\n",
	"door/door.go": `package door

// Open reports whether a key opens the door.
func Open(key string) bool {
	if key == "" {
		return false
	}
	return key == "right"
}

// Lock is called by tests of doors that are locked.
func Lock() error { return nil }
`,
	"door/door_test.go": `package door

import (
	"sync"
	"testing"
)

func TestOpen(t *testing.T) {
	if Open("wrong") {
		t.Error("a wrong key opens the door")
	}
}

func TestLock(t *testing.T) {
	if err := Lock(); err != nil {
		select {}
	}
}

func TestLockElsewhere(t *testing.T) {
	var other sync.WaitGroup
	other.Go(func() {
		if err := Lock(); err != nil {
			panic(err)
		}
	})
	other.Wait()
}

func TestOfNothing(t *testing.T) {}

func TestBroken(t *testing.T) { t.Error("it fails always") }
`,
}

// scratchRunner is a runner over the scratch package.
func scratchRunner(t *testing.T) (*runner, *bytes.Buffer) {
	t.Helper()
	root := t.TempDir()
	for name, text := range scratchFiles {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	r := newRunner(root, t.TempDir(), &out)
	r.test, r.kill = 3*time.Second, 20*time.Second
	return r, &out
}

func mutantOf(test, old, replacement string) Mutant {
	return Mutant{
		Name: "door/x", Control: "the door", File: "door/door.go", Old: old, New: replacement,
		Package: "./door", Tests: test,
	}
}

// TestVerdicts has one mutant of each kind.
func TestVerdicts(t *testing.T) {
	const compares, locks = `return key == "right"`, "return nil }"
	throws := `return error(errNew{}) }` + "\n\ntype errNew struct{}\n\nfunc (errNew) Error() string { return \"locked\" }\n"
	cases := map[string]struct {
		mutant Mutant
		want   verdict
		detail string // a part of it
	}{
		"a test fails":                  {mutantOf("TestOpen", compares, "return true"), red, ""},
		"one of two tests fails":        {mutantOf("TestOfNothing|TestOpen", compares, "return true"), red, ""},
		"all tests pass":                {mutantOf("TestOfNothing", compares, "return true"), green, ""},
		"the text is missing":           {mutantOf("TestOpen", "return key == left", "return true"), broken, "0 times"},
		"the text is there twice":       {mutantOf("TestOpen", "return", "return true ||"), broken, "times, want once"},
		"it does not compile":           {mutantOf("TestOpen", compares, "return 7"), broken, "does not compile"},
		"the test hangs":                {mutantOf("TestLock", locks, throws), broken, "time-out alone"},
		"another goroutine panics":      {mutantOf("TestLockElsewhere", locks, throws), broken, "named none"},
		"the test fails without it too": {mutantOf("TestBroken", compares, "return true"), broken, "without the mutant"},
		"the test does not exist":       {mutantOf("TestAbsent", compares, "return true"), broken, "TestAbsent did not run"},
		"the file does not exist":       {Mutant{Name: "door/x", Control: "x", File: "door/no.go", Old: "a", New: "b", Package: "./door", Tests: "TestOpen"}, broken, "reading the file"},
		"a field is missing":            {mutantOf("", compares, "return true"), broken, "want whole names"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, out := scratchRunner(t)
			passed := r.runAll(t.Context(), []Mutant{c.mutant})
			if want := c.want == red; passed != want {
				t.Errorf("the run passed: %v, want %v\n%s", passed, want, out)
			}
			if text := out.String(); !strings.HasPrefix(text, string(c.want)+" ") || !strings.Contains(text, c.detail) {
				t.Errorf("got %s\nwant %s, and %q", text, c.want, c.detail)
			}
		})
	}
}

// TestATestThatIgnoresItsTimeOutIsKilled: the runner's own bound is the last one.
func TestATestThatIgnoresItsTimeOutIsKilled(t *testing.T) {
	r, out := scratchRunner(t)
	r.test, r.kill = time.Hour, 3*time.Second
	m := mutantOf("TestLock", "return nil }", "select {} }")
	if r.runAll(t.Context(), []Mutant{m}) || !strings.Contains(out.String(), "had to be killed") {
		t.Errorf("got %s\nwant broken, and that it was killed", out)
	}
}

// TestTheTreeIsNotChanged: a run that ends in the middle leaves no mutant behind.
func TestTheTreeIsNotChanged(t *testing.T) {
	r, out := scratchRunner(t)
	if !r.runAll(t.Context(), []Mutant{mutantOf("TestOpen", `return key == "right"`, "return true")}) {
		t.Fatal(out)
	}
	for name, want := range scratchFiles {
		if got, err := os.ReadFile(filepath.Join(r.root, name)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want it as it was", name, got, err)
		}
	}
}

// TestTheBudgetEndsARun: what has been begun is ended, and the rest is not run.
func TestTheBudgetEndsARun(t *testing.T) {
	r, out := scratchRunner(t)
	m := mutantOf("TestOpen", `return key == "right"`, "return true")
	r.until = time.Now().Add(time.Minute)
	if !r.runAll(t.Context(), []Mutant{m, m}) || !strings.Contains(out.String(), "2 of 2 mutants ran: 2 red") {
		t.Errorf("within the budget: got %s", out)
	}
	out.Reset()
	r.until = time.Now().Add(-time.Minute)
	if r.runAll(t.Context(), []Mutant{m, m}) || !strings.Contains(out.String(), "0 of 2 mutants ran") {
		t.Errorf("after the budget: got %s\nwant that none ran, and that the run fails", out)
	}
}

// TestConsecutiveSeedsReachEveryMutant: a run that gets through as many mutants as seeds
// are apart leaves none out.
func TestConsecutiveSeedsReachEveryMutant(t *testing.T) {
	mutants := all()
	reached := map[string]bool{}
	for seed := range uint64(len(mutants)/stride + 1) {
		for _, m := range choose(mutants, regexp.MustCompile(""), seed)[:min(stride, len(mutants))] {
			reached[m.Name] = true
		}
	}
	if len(reached) != len(mutants) {
		t.Errorf("%d mutants reached, want %d", len(reached), len(mutants))
	}
}
