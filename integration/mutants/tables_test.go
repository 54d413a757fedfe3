package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// TestEveryMutantApplies: the text of each control is where its mutant looks for it, and
// the tests that it names exist. A change that moves a control shows here.
func TestEveryMutantApplies(t *testing.T) {
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	names, tests := map[string]bool{}, map[string]string{}
	for _, m := range all() {
		if names[m.Name] {
			t.Errorf("%s: there are two mutants of this name", m.Name)
		}
		names[m.Name] = true
		changed, err := m.apply(root)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		if strings.HasSuffix(m.File, ".go") {
			if _, err := parser.ParseFile(token.NewFileSet(), m.File, changed, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s: the changed file is no Go: %v", m.Name, err)
			}
		}
		if _, ok := tests[m.Package]; !ok {
			tests[m.Package] = testsOf(t, filepath.Join(root, m.Package))
		}
		for test := range strings.SplitSeq(m.Tests, "|") {
			if !regexp.MustCompile(`(?m)^func ` + test + `\(`).MatchString(tests[m.Package]) {
				t.Errorf("%s: %s has no test %s", m.Name, m.Package, test)
			}
		}
	}
}

// testsOf returns the text of the test files of a package.
func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	return text.String()
}

// TestFieldsOfAMutant shows the check of the fields what it must refuse.
func TestFieldsOfAMutant(t *testing.T) {
	good := Mutant{Name: "area/what", Control: "x", File: "a.go", Old: "a", New: "b", Package: "./a", Tests: "TestA|TestB"}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Mutant){
		"a name without an area": func(m *Mutant) { m.Name = "what" },
		"a name in upper case":   func(m *Mutant) { m.Name = "area/What" },
		"no control":             func(m *Mutant) { m.Control = "" },
		"no old text":            func(m *Mutant) { m.Old = "" },
		"no change":              func(m *Mutant) { m.New = m.Old },
		"a module's path":        func(m *Mutant) { m.Package = "github.com/a" },
		"a pattern":              func(m *Mutant) { m.Tests = "Test.*" },
		"a subtest":              func(m *Mutant) { m.Tests = "TestA/b" },
	} {
		m := good
		if change(&m); m.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
