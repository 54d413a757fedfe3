package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden runs Golden and gives its failure.
func golden(t *testing.T, file, got string) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Golden(r, file, []byte(got))
	}()
	<-done
	return r.failure
}

func TestGoldenNamesTheFirstLineThatDiffers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.txt")
	if failure := golden(t, file, "a\n"); !strings.Contains(failure, "-update") {
		t.Errorf("without the file: got %q, want a mention of -update", failure)
	}
	if err := os.WriteFile(file, []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for got, place := range map[string]string{
		"a\nb\nc\n":    "",
		"a\nx\nc\n":    ":2: ",
		"a\nb\n":       ":3: ",
		"a\nb\nc\nd\n": ":4: ",
		"":             ":1: ",
	} {
		if failure := golden(t, file, got); (failure == "") != (place == "") || !strings.Contains(failure, place) {
			t.Errorf("%q: got %q, want %q", got, failure, place)
		}
	}
}

func TestGoldenLinesAreSorted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.txt")
	if err := os.WriteFile(file, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := []string{"b", "a"}
	GoldenLines(t, file, lines)
	if lines[0] != "b" {
		t.Error("the caller's lines were sorted")
	}
}

func TestUpdateWritesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.txt")
	before := update
	update = true
	defer func() { update = before }()
	Golden(t, file, []byte("new\n"))
	if got, err := os.ReadFile(file); err != nil || string(got) != "new\n" || !Updating() {
		t.Errorf("got %q, %v", got, err)
	}
}
