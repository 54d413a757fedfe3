package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Mutant is one control, and what the source looks like without it.
type Mutant struct {
	// Unique, AREA/WHAT in lower case: guard/deny-head.
	Name string
	// What is removed: the section of auth.md, api.md or clients.md, or the refusal.
	Control string
	// The changed file, from the root of the repository. It must be compiled in: a file
	// that a test reads from the disk stays as it is.
	File string
	// The exact text of the control. It must be in the file exactly once.
	Old string
	// What replaces it. The file must compile: `_ = name` keeps a name in use.
	New string
	// The package of the tests, as `./authmin`.
	Package string
	// The tests of which one must fail, by their whole names: TestA|TestB.
	Tests string
	// The build tags of the package's tests, with commas. Mostly none.
	Tags string
}

// reName is a mutant's name, and reTests a list of top-level tests. Subtests have no
// place in it: a pattern for them would be one for each level of all the tests.
var (
	reName  = regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9-]+)+$`)
	reTests = regexp.MustCompile(`^Test\w+(\|Test\w+)*$`)
)

// check returns what is wrong with the fields themselves.
func (m *Mutant) check() error {
	switch {
	case !reName.MatchString(m.Name):
		return fmt.Errorf("name %q: want AREA/WHAT in lower case", m.Name)
	case m.Control == "":
		return errors.New("no control: say what is removed")
	case m.Old == "" || m.Old == m.New:
		return errors.New("nothing changes")
	case !strings.HasPrefix(m.Package, "./"):
		return fmt.Errorf("package %q: want a path such as ./authmin", m.Package)
	case !reTests.MatchString(m.Tests):
		return fmt.Errorf("tests %q: want whole names such as TestA|TestB", m.Tests)
	}
	return nil
}

// apply returns the changed file.
func (m *Mutant) apply(root string) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		return nil, fmt.Errorf("reading the file to change: %w", err)
	}
	if n := strings.Count(string(text), m.Old); n != 1 {
		return nil, fmt.Errorf("%s: the text is there %d times, want once: %q", m.File, n, m.Old)
	}
	return []byte(strings.Replace(string(text), m.Old, m.New, 1)), nil
}

// stride is how far apart the beginnings of two runs with consecutive seeds are. It is less
// than what a run of four minutes gets through on two cores, so that consecutive runs
// leave no mutant between them.
const stride = 8

// choose returns the mutants whose names match, beginning at the seed's place.
func choose(mutants []Mutant, name *regexp.Regexp, seed uint64) []Mutant {
	var chosen []Mutant
	for _, m := range mutants {
		if name.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	n := uint64(len(chosen))
	begin := seed % n * stride % n
	return slices.Concat(chosen[begin:], chosen[:begin])
}
