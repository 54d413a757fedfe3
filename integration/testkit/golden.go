package testkit

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update bool

func init() {
	if testing.Testing() { // programs that import this package do not get the flag
		flag.BoolVar(&update, "update", false, "write the golden files anew")
	}
}

// Updating reports whether the test runs with -update.
func Updating() bool { return update }

// Golden compares a text with a file, and reports the first line that differs. With
// -update it writes the file instead.
func Golden(t testing.TB, file string, got []byte) {
	t.Helper()
	if update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatalf("writing the golden file: %v", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with: go test -update", err)
	}
	if string(got) == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	line := 0
	for line < min(len(gotLines), len(wantLines))-1 && gotLines[line] == wantLines[line] {
		line++
	}
	t.Errorf("%s:%d: got %d lines, from here on\n%s\nwant %d lines\n%s\nif the change is meant, run go test -update and review the file",
		file, line+1, len(gotLines), excerpt(gotLines[line:]), len(wantLines), excerpt(wantLines[line:]))
}

// GoldenLines is Golden for lines in any order: the file has them sorted.
func GoldenLines(t testing.TB, file string, lines []string) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(lines))
	Golden(t, file, []byte(strings.Join(sorted, "\n")+"\n"))
}

// excerpt is the beginning of a text, as a failure shows it.
func excerpt(lines []string) string {
	const most = 10
	return strings.Join(lines[:min(len(lines), most)], "\n")
}
