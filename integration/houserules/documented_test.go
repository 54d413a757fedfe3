package houserules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, name := range undocumented(t, os.DirFS(root(t))) {
		t.Errorf("%s has no comment", name)
	}
}

func TestDocumentedCanFail(t *testing.T) {
	cases := map[string]struct {
		source  string
		missing int
	}{
		"a function":            {"func F() {}", 1},
		"a function, explained": {"// F does.\nfunc F() {}", 0},
		"a method":              {"// T is.\ntype T int\nfunc (T) M() {}", 1},
		"a method of its own":   {"type t int\nfunc (t) M() {}", 0},
		"a type":                {"type T struct{}", 1},
		"a type in a group":     {"type (\n// T is.\nT int\nU int)", 1},
		"a variable":            {"var V int", 1},
		"constants in a group":  {"// The kinds.\nconst (\nA = 1\nB = 2)", 0},
		"a constant, beside it": {"const (\nA = 1 // the first\n)", 0},
		"a constant":            {"const (\nA = 1\n)", 1},
		"two with one comment":  {"const (\n// A and B are.\nA = 1\nB = 2\nC = 3\n)", 1},
		"its own names":         {"func f() {}; var v int; type t int", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			source := "// Package a is a test.\npackage a\n" + c.source
			got := undocumented(t, fstest.MapFS{"a/a.go": {Data: []byte(source)}})
			if len(got) != c.missing {
				t.Errorf("got %q, want %d names", got, c.missing)
			}
		})
	}
	t.Run("a package", func(t *testing.T) {
		if got := undocumented(t, fstest.MapFS{"a/a.go": {Data: []byte("package a")}}); len(got) != 1 {
			t.Errorf("got %q, want the package", got)
		}
	})
}

// undocumented lists the packages and the exported names without a comment.
func undocumented(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var missing []string
	described := map[string]bool{} // by folder
	eachFile(t, tree, []string{".go"}, func(name string, source []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		folder := path.Dir(name)
		described[folder] = described[folder] || file.Doc != nil
		for _, decl := range file.Decls {
			for _, n := range bareNames(decl) {
				missing = append(missing, name+": "+n)
			}
		}
	})
	for folder, ok := range described {
		if !ok {
			missing = append(missing, folder+": the package")
		}
	}
	return missing
}

// bareNames lists the exported names of a declaration that no comment is for:
// their own, the one beside them, the group's, or one in the group that names them.
func bareNames(decl ast.Decl) []string {
	var names []string
	switch d := decl.(type) {
	case *ast.FuncDecl:
		receiver := receiverName(d)
		if d.Doc == nil && d.Name.IsExported() && (receiver == "" || ast.IsExported(receiver)) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		shared := ""
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				shared += s.Doc.Text()
				for _, id := range s.Names {
					described := d.Doc != nil || s.Doc != nil || s.Comment != nil || slices.Contains(wordIn.FindAllString(shared, -1), id.Name)
					if id.IsExported() && !described {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return names
}

var wordIn = regexp.MustCompile(`\w+`)

func receiverName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
