package main

import (
	"os"
	"strings"
	"testing"
)

// TestTheDocumentIsOfThisProgram: soak.md has commands that are understood, and names every
// rule and every case. They take hours, so no test of documents runs them.
func TestTheDocumentIsOfThisProgram(t *testing.T) {
	text, err := os.ReadFile("../../deploy/docs/soak.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(string(text)) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "go run ./integration/soak ")
		if !ok {
			continue
		}
		commands++
		s, err := parse(strings.Fields(args))
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if s.cases != "" && s.cases != strings.Join(caseNames(), ",") {
			t.Errorf("%s: want all cases, %v", args, caseNames())
		}
	}
	if commands < 3 {
		t.Errorf("%d commands, want at least 3", commands)
	}
	for _, name := range append(caseNames(), rules...) {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("no table names %s", name)
		}
	}
}
