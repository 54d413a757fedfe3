package houserules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestServers: an http.Server of ours does not answer `OPTIONS *` by itself. It
// would, before any handler has asked for a credential.
func TestServers(t *testing.T) {
	open, servers := openServers(t, os.DirFS(root(t)))
	for _, where := range open {
		t.Errorf("%s: an http.Server without DisableGeneralOptionsHandler", where)
	}
	if servers < 2 {
		t.Errorf("%d servers found, want at least 2", servers)
	}
}

func TestServersCanFail(t *testing.T) {
	for source, want := range map[string]int{
		"package a\nvar s = &http.Server{Handler: h}\n":                                    1,
		"package a\nvar s = http.Server{}\n":                                               1,
		"package a\nvar s = http.Server{DisableGeneralOptionsHandler: false}\n":            1,
		"package a\nvar s = http.Server{Handler: h, DisableGeneralOptionsHandler: true}\n": 0,
		"package a\nfunc f() { _ = http.ListenAndServe(\"127.0.0.1:0\", nil) }\n":          1,
		"package a\nfunc f() { _ = http.Serve(l, nil) }\n":                                 1,
		"package a\nfunc f() { _ = server.Serve(l) }\n":                                    0,
	} {
		if got, _ := openServers(t, fstest.MapFS{"authmin/a.go": {Data: []byte(source)}}); len(got) != want {
			t.Errorf("%q: %d complaints, want %d", source, len(got), want)
		}
	}
}

// openServers lists the servers, outside tests, that answer before their handler.
func openServers(t *testing.T, tree fs.FS) (open []string, servers int) {
	t.Helper()
	eachFile(t, tree, []string{".go"}, func(name string, content []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if isHTTP(n.Type, "Server") {
					servers++
					if !asksFirst(n) {
						open = append(open, name)
					}
				}
			case *ast.CallExpr:
				for _, call := range []string{"Serve", "ServeTLS", "ListenAndServe", "ListenAndServeTLS"} {
					if isHTTP(n.Fun, call) {
						open = append(open, name)
					}
				}
			}
			return true
		})
	})
	return open, servers
}

// isHTTP reports http.NAME.
func isHTTP(e ast.Expr, name string) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "http"
}

func asksFirst(server *ast.CompositeLit) bool {
	for _, element := range server.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, _ := pair.Key.(*ast.Ident)
		value, _ := pair.Value.(*ast.Ident)
		if key != nil && value != nil && key.Name == "DisableGeneralOptionsHandler" && value.Name == "true" {
			return true
		}
	}
	return false
}
