//go:build soak

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestFiveMinutes is the shortest run that has faults of most kinds:
//
//	go test -tags soak -run TestFiveMinutes -timeout 20m ./integration/soak
func TestFiveMinutes(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	args := []string{"-duration", "5m", "-calm", "1m", "-every", "15s", "-rate", "2", "-dir", filepath.Join(dir, "files"), "-report", filepath.Join(dir, "report.txt")}
	if err := run(t.Context(), args, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if text := out.String(); !strings.Contains(text, "it is done") || !strings.Contains(text, "faults: ") {
		t.Errorf("the run was not whole:\n%s", text)
	}
}

// TestCases runs each case once. The one with 10,000 streams wants 12,000 descriptors for
// each of two processes.
func TestCases(t *testing.T) {
	programs := t.TempDir()
	if err := build(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	for _, name := range caseNames() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), []string{"-cases", name, "-programs", programs, "-dir", t.TempDir()}, &out)
			if err != nil {
				t.Errorf("%v", err)
			}
			t.Log(out.String())
		})
	}
}
