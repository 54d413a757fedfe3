package houserules_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// parsing is where requests with credentials come in; authmin is where they are
// parsed, and is not looked at.
var parsing = []string{"./authmin/backend/...", "./caddymodule/...", "./orchestrator/...", "./poolmanager/..."}

// bearerAllowed names files that may look for a scheme, with the reason: they read
// no request.
var bearerAllowed = map[string]string{
	"caddymodule/cli/lint_secrets.go": "looks for credentials in the text of a Caddyfile, to refuse them",
}

// TestBearerIsParsedByAuthminAlone: no other package reads an Authorization field
// or cuts the scheme off a credential. Two parsers that differ are a bypass.
func TestBearerIsParsedByAuthminAlone(t *testing.T) {
	looked := 0
	for _, p := range loadPackages(t, parsing...) {
		looked += len(p.Syntax)
		for _, f := range lintBearer(p) {
			name, err := filepath.Rel(root(t), f.at.Filename)
			if err != nil {
				t.Fatal(err)
			}
			if bearerAllowed[filepath.ToSlash(name)] == "" {
				t.Errorf("%s:%d: %s", name, f.at.Line, f.why)
			}
		}
	}
	t.Attr("evidence", fmt.Sprintf("%d files read with their types", looked))
}

// TestBearerLintFlags compares the findings in the fixtures with their comments.
func TestBearerLintFlags(t *testing.T) {
	for _, folder := range []string{"flagged", "accepted"} {
		t.Run(folder, func(t *testing.T) {
			p := loadPackages(t, "./integration/houserules/testdata/bearer/"+folder)[0]
			var got []string
			for _, f := range lintBearer(p) {
				got = append(got, fmt.Sprintf("%s:%d", filepath.Base(f.at.Filename), f.at.Line))
			}
			slices.Sort(got)
			want := markedLines(t, p.GoFiles)
			if !slices.Equal(slices.Compact(got), want) || (folder == "flagged") != (len(want) > 0) {
				t.Errorf("flagged %q, want %q", got, want)
			}
		})
	}
}

// lintBearer finds where a package reads or parses a credential by itself.
func lintBearer(p *packages.Package) []finding {
	l := &bearerLint{info: p.TypesInfo, fset: p.Fset, mayRead: map[ast.Node]bool{}}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			l.look(n)
			return true
		})
	}
	return l.found
}

type bearerLint struct {
	info    *types.Info
	fset    *token.FileSet
	mayRead map[ast.Node]bool // an index that is written, or given to authmin
	found   []finding
}

func (l *bearerLint) say(n ast.Node, why string) {
	l.found = append(l.found, finding{l.fset.Position(n.Pos()), why})
}

func (l *bearerLint) look(n ast.Node) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, target := range n.Lhs {
			l.mayRead[target] = true
		}
	case *ast.CallExpr:
		l.lookCall(n)
	case *ast.IndexExpr:
		if l.isCredentialField(n.Index) && !l.mayRead[n] {
			l.say(n, "an Authorization field is read: give it to authmin.ParseBearer")
		}
	case *ast.BinaryExpr:
		if slices.Contains(comparisons, n.Op) && (l.isScheme(n.X) || l.isScheme(n.Y)) {
			l.say(n, "a scheme is compared: use authmin.ParseBearer")
		}
	case *ast.CaseClause:
		if slices.ContainsFunc(n.List, l.isScheme) {
			l.say(n, "a scheme is compared: use authmin.ParseBearer")
		}
	}
}

func (l *bearerLint) lookCall(call *ast.CallExpr) {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return
	}
	fn, ok := l.info.ObjectOf(selector.Sel).(*types.Func)
	if !ok || fn.Pkg() == nil {
		return
	}
	switch path := fn.Pkg().Path(); {
	case path == authminPath && fn.Name() == "ParseBearer":
		for _, arg := range call.Args {
			l.mayRead[ast.Unparen(arg)] = true
			if values, ok := ast.Unparen(arg).(*ast.CallExpr); ok {
				l.mayRead[values] = true // of Header.Values
			}
		}
	case slices.Contains([]string{"Get", "Values"}, fn.Name()) && slices.ContainsFunc(call.Args, l.isCredentialField):
		if fn.Name() != "Values" || !l.mayRead[call] {
			l.say(call, "an Authorization field is read: give it to authmin.ParseBearer")
		}
	case slices.Contains([]string{"strings", "bytes", "regexp"}, path) && slices.ContainsFunc(call.Args, l.isScheme):
		l.say(call, "a scheme is looked for: use authmin.ParseBearer")
	}
}

// isCredentialField is the name of a field that holds a credential, in any case.
func (l *bearerLint) isCredentialField(e ast.Expr) bool {
	name := l.constant(e)
	return strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "Proxy-Authorization") || strings.EqualFold(name, "X-Api-Key")
}

// isScheme is a constant that begins like a credential: "Bearer", "bearer ".
func (l *bearerLint) isScheme(e ast.Expr) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(strings.ToLower(l.constant(e)), "(?i)^"), " ")
	return first == "bearer"
}

func (l *bearerLint) constant(e ast.Expr) string {
	if v := l.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v)
	}
	return ""
}
