package houserules_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// maxMedian is the most lines that the file in the middle may have; generated files
// do not count.
const maxMedian = 150

// TestShape: most files are short, and each folder says in a package comment what it
// is for, a folder of tests alone as well.
func TestShape(t *testing.T) {
	for _, broken := range brokenShape(t, os.DirFS(root(t))) {
		t.Error(broken)
	}
}

func TestShapeCanFail(t *testing.T) {
	source := func(lines int) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("// Package a is a test.\npackage a\n" + strings.Repeat("// line\n", lines))}
	}
	files := func(count, lines int) fstest.MapFS {
		tree := fstest.MapFS{}
		for i := range count {
			tree[fmt.Sprintf("a/f%d.go", i)] = source(lines)
		}
		return tree
	}
	with := func(tree fstest.MapFS, name, text string) fstest.MapFS {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
		return tree
	}
	cases := map[string]struct {
		tree   fstest.MapFS
		broken int
	}{
		"short files":                     {files(3, 100), 0},
		"long files":                      {files(3, 200), 1},
		"two long files of three":         {with(files(2, 200), "a/b.go", "package a\n"), 1},
		"one long file of three":          {with(with(files(1, 200), "a/b.go", "package a\n"), "a/c.go", "package a\n"), 0},
		"generated":                       {with(files(1, 10), "a/t.go", generated+strings.Repeat("// line\n", 900)), 0},
		"no package comment":              {fstest.MapFS{"a/a.go": {Data: []byte("package a\n")}}, 1},
		"tests without a package comment": {fstest.MapFS{"a/a_test.go": {Data: []byte("package a_test\n")}}, 1},
		"a comment that is not attached":  {fstest.MapFS{"a/a.go": {Data: []byte("// Package a is a test.\n\npackage a\n")}}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := brokenShape(t, c.tree); len(got) != c.broken {
				t.Errorf("got %q, want %d broken rules", got, c.broken)
			}
		})
	}
}

func brokenShape(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var broken []string
	var lengths []int
	described := map[string]bool{} // by folder
	eachFile(t, tree, []string{".go"}, func(name string, content []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := path.Dir(name)
		described[folder] = described[folder] || file.Doc != nil
		if !ast.IsGenerated(file) {
			lengths = append(lengths, bytes.Count(content, []byte("\n")))
		}
	})
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median > maxMedian {
		broken = append(broken, fmt.Sprintf("the median file has %d lines, over %d", median, maxMedian))
	}
	for _, folder := range slices.Sorted(maps.Keys(described)) {
		if !described[folder] {
			broken = append(broken, folder+": no file has a package comment")
		}
	}
	return broken
}
