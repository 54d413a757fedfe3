package houserules_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// routerFiles are where routers and HTTP servers are made, with what serves
// there. The first three list their routes for the tests that walk them; another
// one would serve routes that no test asks for a guard.
var routerFiles = map[string]string{
	"authmin/backend/router.go":        "the router of both backends, which lists its routes",
	"authmin/backend/server.go":        "the server of both backends, around backend.Authenticator",
	"poolmanager/demoengine/engine.go": "the demo engine, on loopback, with a key of its own",
	"poolmanager/demoengine/run.go":    "the demo engine's server",
}

// makers are the functions and types that serve HTTP.
var makers = []string{"NewServeMux", "ServeMux", "Server", "ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS", "Handle", "HandleFunc"}

// TestRoutersAreMadeWhereTheyAreWalked finds a second router or server.
func TestRoutersAreMadeWhereTheyAreWalked(t *testing.T) {
	found := strayRouters(t, os.DirFS(root(t)))
	used := map[string]bool{}
	for _, f := range found {
		name, _, _ := strings.Cut(f, ":")
		used[name] = true
		if routerFiles[name] == "" {
			t.Errorf("%s: its routes are in no table that tests walk", f)
		}
	}
	for name := range routerFiles {
		if !used[name] {
			t.Errorf("%s makes no router or server any more", name)
		}
	}
}

func TestStrayRoutersAreSeen(t *testing.T) {
	const head = "package a\nimport \"net/http\"\n"
	cases := map[string]struct {
		file, source string
		found        int
	}{
		"a router":                 {"orchestrator/a.go", head + "var m = http.NewServeMux()", 1},
		"the zero router":          {"poolmanager/a.go", head + "var m http.ServeMux", 1},
		"a server":                 {"authmin/a.go", head + "var s = &http.Server{}", 1},
		"the default router":       {"caddymodule/a.go", head + "func f() { http.HandleFunc(\"/x\", nil) }", 1},
		"by another name":          {"orchestrator/a.go", "package a\nimport web \"net/http\"\nvar m = web.NewServeMux()", 1},
		"a server at once":         {"orchestrator/a.go", head + "func f() { http.ListenAndServe(\"\", nil) }", 1},
		"profiling, by its import": {"orchestrator/a.go", "package a\nimport _ \"net/http/pprof\"", 1},
		"in a test":                {"orchestrator/a_test.go", head + "var m = http.NewServeMux()", 0},
		"a client":                 {"orchestrator/a.go", head + "var c http.Client", 0},
		"another package":          {"orchestrator/a.go", "package a\nimport http \"example.com/http\"\nvar m = http.NewServeMux()", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := strayRouters(t, fstest.MapFS{c.file: {Data: []byte(c.source)}})
			if len(got) != c.found {
				t.Errorf("got %q, want %d", got, c.found)
			}
		})
	}
}

// strayRouters lists every use of a maker in the product, as file: what.
func strayRouters(t *testing.T, tree fs.FS) (found []string) {
	t.Helper()
	eachFile(t, tree, []string{".go"}, func(name string, source []byte) {
		first, _, _ := strings.Cut(name, "/")
		if strings.HasSuffix(name, "_test.go") || first == "integration" {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		local := ""
		for _, spec := range file.Imports {
			switch strings.Trim(spec.Path.Value, `"`) {
			case "net/http":
				local = "http"
				if spec.Name != nil {
					local = spec.Name.Name
				}
			case "net/http/pprof", "expvar":
				found = append(found, fmt.Sprintf("%s: %s registers routes", name, spec.Path.Value))
			}
		}
		if local == "" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if on, ok := sel.X.(*ast.Ident); ok && on.Name == local && slices.Contains(makers, sel.Sel.Name) {
				found = append(found, fmt.Sprintf("%s: %s.%s", name, local, sel.Sel.Name))
			}
			return true
		})
	})
	return found
}
