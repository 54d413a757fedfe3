package orchestrator

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryLockHasItsPlace holds that each lock of the package is in lockOrder under
// the name of its field, that there is no other, and that doc.go tells the order.
func TestEveryLockHasItsPlace(t *testing.T) {
	want := map[string]string{}
	for _, l := range lockOrder {
		want[l.name] = strings.TrimPrefix(fmt.Sprintf("%T", l.id), "orchestrator.")
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "lock_race.go" || file == "lock_plain.go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, lock := range locksOf(parsed) {
			found[name] = lock
		}
	}
	for name, lock := range found {
		if want[name] != lock {
			t.Errorf("%s is %s, lockOrder has %q", name, lock, want[name])
		}
	}
	for name := range want {
		if found[name] == "" {
			t.Errorf("lockOrder has %s, and no struct does", name)
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(doc)) {
		if name, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "//\t")), " "); strings.HasPrefix(line, "//\t") && want[name] != "" {
			told = append(told, name)
		}
	}
	var order []string
	for _, l := range lockOrder {
		order = append(order, l.name)
	}
	if !slices.Equal(told, order) {
		t.Errorf("doc.go has the order\n%q, want\n%q", told, order)
	}
}

// locksOf gives the fields that are locks, by struct and name, and the type of each.
func locksOf(file *ast.File) map[string]string {
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range fields.Fields.List {
			kind := f.Type
			if many, ok := kind.(*ast.ArrayType); ok {
				kind = many.Elt
			}
			lock := ""
			switch kind := kind.(type) {
			case *ast.IndexExpr:
				if name, ok := kind.X.(*ast.Ident); ok && name.Name == "mutex" {
					lock = kind.Index.(*ast.Ident).Name
				}
			case *ast.SelectorExpr:
				if strings.HasSuffix(kind.Sel.Name, "Mutex") {
					lock = "a lock without a place"
				}
			}
			for _, name := range f.Names {
				if lock != "" {
					found[spec.Name.Name+"."+name.Name] = lock
				}
			}
		}
		return true
	})
	return found
}
