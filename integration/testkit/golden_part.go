package testkit

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// GoldenPart is Golden for a part of a file, such as a generated table of a document:
// what is between the lines <!-- begin NAME --> and <!-- end NAME -->.
func GoldenPart(t testing.TB, file, name string, got []byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, part, after, err := cutPart(string(text), name)
	switch {
	case err != nil:
		t.Fatalf("%s: %v", file, err)
	case part == string(got):
	case update:
		if err := os.WriteFile(file, []byte(before+string(got)+after), 0o644); err != nil {
			t.Fatalf("writing the golden part: %v", err)
		}
	default:
		gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(part, "\n")
		line := 0
		for line < min(len(gotLines), len(wantLines))-1 && gotLines[line] == wantLines[line] {
			line++
		}
		t.Errorf("%s, part %s, line %d: got\n%s\nwant\n%s\nif the change is meant, run go test -update and review the file",
			file, name, line+1, excerpt(gotLines[line:]), excerpt(wantLines[line:]))
	}
}

// cutPart finds a part of a text; before and after have its two marks.
func cutPart(text, name string) (before, part, after string, err error) {
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
	if strings.Count(text, begin) != 1 || strings.Count(text, end) != 1 {
		return "", "", "", fmt.Errorf("want %q and %q once each", begin, end)
	}
	before, rest, _ := strings.Cut(text, begin)
	part, after, found := strings.Cut(rest, end)
	if !found {
		return "", "", "", fmt.Errorf("%q is before %q", end, begin)
	}
	return before + begin, part, end + after, nil
}
