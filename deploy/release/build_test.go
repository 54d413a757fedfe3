package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheSameCommitIsTheSameBytes builds a small program twice, from two directories:
// without -trimpath it would contain their names. It imports nothing: with -trimpath, each
// package of the standard library is compiled again.
func TestTheSameCommitIsTheSameBytes(t *testing.T) {
	repository := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module example.com/small\n\ngo 1.26\n",
		"cmd/main.go": "package main\n\nfunc main() { print(\"hello\") }\n",
	} {
		path := filepath.Join(repository, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{"init -q", "add .", "-c user.name=test -c user.email=test@example.com commit -q -m first"} {
		if _, err := command(t.Context(), repository, nil, "git", strings.Fields(args)...); err != nil {
			t.Fatal(err)
		}
	}
	all := programs
	programs = []string{"./cmd"}
	defer func() { programs = all }()
	p := platform{"linux", "amd64"}
	first := build{platform: p, source: filepath.Join(t.TempDir(), "source"), dir: t.TempDir()}
	if err := clone(t.Context(), repository, first.source); err != nil {
		t.Fatal(err)
	}
	if err := first.compile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := compare(t.Context(), options{root: repository, again: "shared"}, first, filepath.Join(t.TempDir(), "far", "away"), io.Discard); err != nil {
		t.Error(err)
	}
	file, err := os.OpenFile(filepath.Join(first.dir, "cmd"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	err = compare(t.Context(), options{root: repository, again: "shared"}, first, filepath.Join(t.TempDir(), "again"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "cmd is not reproducible") {
		t.Errorf("a program that differs: got %v", err)
	}
}
