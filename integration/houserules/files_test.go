package houserules_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	maxLines     = 400          // a file above it says why in its first lines
	longFileMark = "Long file:" // "// Long file: one table, cut in two it would …"
	reasonLines  = 10           // how far down the reason may stand
)

// folders is the top level of the design; another is a change of design.
var folders = []string{"authmin", "caddymodule", "orchestrator", "poolmanager", "deploy", "integration"}

// vague are names that say nothing of what is in a folder.
var vague = []string{"util", "utils", "common", "pkg", "models", "helpers"}

// unfinished is spelled apart, or this file would break its own rule.
var unfinished = []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}

func TestFiles(t *testing.T) {
	for _, broken := range brokenFiles(t, os.DirFS(root(t))) {
		t.Error(broken)
	}
}

func TestFilesCanFail(t *testing.T) {
	long := strings.Repeat("// line\n", maxLines)
	cases := map[string]struct {
		file, source string
		broken       int
	}{
		"a short file":           {"authmin/a.go", "package a\n", 0},
		"a long file":            {"authmin/a.go", "package a\n" + long, 1},
		"a long file, explained": {"authmin/a.go", "package a\n// " + longFileMark + " one table.\n" + long, 0},
		"explained too late":     {"authmin/a.go", "package a\n" + long + "// " + longFileMark + " why.\n", 1},
		"a vague folder":         {"orchestrator/util/a.go", "package a\n", 1},
		"an unknown folder":      {"tools/a.go", "package a\n", 1},
		"a sleep in a test":      {"authmin/a_test.go", "package a\nfunc f() { time.Sleep(1) }\n", 1},
		"a sleep elsewhere":      {"authmin/a.go", "package a\nfunc f() { time.Sleep(1) }\n", 0},
		"a skip":                 {"authmin/a_test.go", "package a\nfunc f() { t.Skip(1) }\n", 1},
		"a skipped folder":       {"authmin/a_test.go", "package a\nvar e = fs.SkipDir\n", 0},
		"a pending step":         {"integration/a_test.go", "package a\nvar e = godog.ErrPending\n", 1},
		"an unfinished mark":     {"authmin/a.go", "package a\n// " + unfinished[0] + ": later\n", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := brokenFiles(t, fstest.MapFS{c.file: {Data: []byte(c.source)}})
			if len(got) != c.broken {
				t.Errorf("got %q, want %d broken rules", got, c.broken)
			}
		})
	}
}

func brokenFiles(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var broken []string
	eachFile(t, tree, []string{".go"}, func(name string, content []byte) {
		say := func(format string, args ...any) {
			broken = append(broken, name+": "+fmt.Sprintf(format, args...))
		}
		parts := strings.Split(path.Dir(name), "/")
		if parts[0] != "." && !slices.Contains(folders, parts[0]) {
			say("the design has no top-level folder %s", parts[0])
		}
		for _, part := range parts {
			if slices.Contains(vague, part) {
				say("a folder is not called %s: name what is in it", part)
			}
		}
		lines := bytes.Split(content, []byte("\n"))
		head := bytes.Join(lines[:min(len(lines), reasonLines)], []byte("\n"))
		if len(lines)-1 > maxLines && !bytes.Contains(head, []byte(longFileMark)) {
			say("%d lines, over %d, and no %q in the first %d", len(lines)-1, maxLines, longFileMark, reasonLines)
		}
		for _, mark := range unfinished {
			if bytes.Contains(content, []byte(mark)) {
				say("unfinished: %s", mark)
			}
		}
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "integration/") {
			for _, call := range lazyTests(t, name, content) {
				say("%s in a test", call)
			}
		}
	})
	return broken
}

// lazyTests finds what makes a test slow, absent or undecided.
func lazyTests(t *testing.T, name string, source []byte) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on, _ := sel.X.(*ast.Ident)
		switch name := sel.Sel.Name; name {
		case "Skip", "Skipf", "SkipNow", "ErrPending":
			found = append(found, name)
		case "Sleep":
			if on != nil && on.Name == "time" {
				found = append(found, "time.Sleep")
			}
		}
		return true
	})
	return found
}
