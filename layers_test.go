package gateway_test

import (
	"fmt"
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

const module = "github.com/llorch/gateway"

// A layer is a folder with everything below it that no longer prefix claims.
// It may import itself and what is listed here; other people's modules are
// free but for Caddy, and but for the layers that keep to the standard library.
type layer struct {
	folder  string
	may     []string // layers, by folder; "*" is every layer
	caddy   bool
	stdOnly bool
}

// layers is the table of the design, the longest folders first.
var layers = []layer{
	{folder: "poolmanager/client", stdOnly: true},
	{folder: "caddymodule/cmd", may: []string{"*"}, caddy: true},
	{folder: "authmin", stdOnly: true},
	{folder: "poolmanager", may: []string{"authmin", "poolmanager/client"}},
	{folder: "orchestrator", may: []string{"authmin", "poolmanager/client"}},
	{folder: "caddymodule", may: []string{"authmin"}, caddy: true},
	{folder: "integration", may: []string{"*"}, caddy: true},
	{folder: ".", may: []string{"caddymodule"}}, // doc.go, for xcaddy
}

// testLibraries may be imported by the test files of every layer.
var testLibraries = []string{
	"github.com/google/go-cmp",
	"github.com/rogpeppe/go-internal",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
}

func TestLayers(t *testing.T) {
	for _, broken := range brokenLayers(t, os.DirFS(".")) {
		t.Error(broken)
	}
}

// TestLayersCanFail shows each rule an import that it must refuse.
func TestLayersCanFail(t *testing.T) {
	cases := map[string]struct {
		file, imports string
		ok            bool
	}{
		"a layer below":                    {"orchestrator/queue.go", module + "/authmin", true},
		"its own folder":                   {"orchestrator/httpapi/api.go", module + "/orchestrator/store", true},
		"a test library in a test":         {"authmin/secret_test.go", "pgregory.net/rapid", true},
		"the wire types":                   {"poolmanager/engine.go", module + "/poolmanager/client", true},
		"Caddy in its adapter":             {"caddymodule/app.go", "github.com/caddyserver/caddy/v2", true},
		"a test library in the product":    {"authmin/secret.go", "pgregory.net/rapid", false},
		"a module in authmin":              {"authmin/secret.go", "golang.org/x/time/rate", false},
		"a module in an authmin test":      {"authmin/secret_test.go", "golang.org/x/time/rate", false},
		"a module in the client":           {"poolmanager/client/client.go", "github.com/google/uuid", false},
		"a layer above":                    {"authmin/secret.go", module + "/caddymodule", false},
		"the neighbour":                    {"orchestrator/queue.go", module + "/poolmanager", false},
		"the neighbour, in a test":         {"orchestrator/queue_test.go", module + "/poolmanager", false},
		"a backend in the adapter":         {"caddymodule/app.go", module + "/orchestrator", false},
		"Caddy in a backend":               {"poolmanager/engine.go", "github.com/caddyserver/certmagic", false},
		"Caddy at the root":                {"doc.go", "github.com/caddyserver/caddy/v2", false},
		"a cmd":                            {"integration/up_test.go", module + "/caddymodule/cmd/llorch", false},
		"a cmd of its own":                 {"orchestrator/queue.go", module + "/orchestrator/cmd/orchestratord", false},
		"integration in the product":       {"caddymodule/cmd/llorch/main.go", module + "/integration/gatewaytest", false},
		"a folder that the design has not": {"helpers/x.go", module + "/authmin", false},
		"C in authmin":                     {"authmin/secret.go", "C", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			source := fmt.Sprintf("package p\n\nimport %q\n", c.imports)
			got := brokenLayers(t, fstest.MapFS{c.file: {Data: []byte(source)}})
			if ok := len(got) == 0; ok != c.ok {
				t.Errorf("%s importing %s: broken = %q, want ok = %v", c.file, c.imports, got, c.ok)
			}
		})
	}
}

// brokenLayers reads the imports of every Go file, whatever its build tags.
func brokenLayers(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var broken []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			if why := refuse(name, strings.Trim(spec.Path.Value, "`\"")); why != "" {
				broken = append(broken, name+": "+why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Compact(broken)
}

// refuse says why a file may not import a package, or nothing.
func refuse(file, imported string) string {
	from, known := layerOf(path.Dir(file))
	if !known {
		return "no layer of the design has this folder"
	}
	if target, ours := strings.CutPrefix(imported, module); ours && (target == "" || target[0] == '/') {
		return refuseOurs(from, strings.TrimPrefix(target, "/"))
	}
	switch first, _, _ := strings.Cut(imported, "/"); {
	case imported == "C" && from.stdOnly:
		return "cgo is not the standard library"
	case !strings.Contains(first, "."):
		return ""
	case strings.HasPrefix(imported, "github.com/caddyserver/") && !from.caddy:
		return "only caddymodule imports Caddy, not " + imported
	case from.stdOnly && !(strings.HasSuffix(file, "_test.go") && isTestLibrary(imported)):
		return from.folder + " keeps to the standard library: " + imported
	}
	return ""
}

func refuseOurs(from layer, folder string) string {
	to, _ := layerOf(folder)
	switch {
	case slices.Contains(strings.Split(folder, "/"), "cmd"):
		return "nothing imports a cmd: " + folder
	case to.folder == from.folder:
		return ""
	case to.folder == "integration":
		return "integration is for tests only: " + folder
	case slices.Contains(from.may, "*"), slices.Contains(from.may, to.folder):
		return ""
	}
	return fmt.Sprintf("%s may not import %s", from.folder, folder)
}

// layerOf finds the layer of a folder. The root is a layer without folders
// below it, so a folder that the design does not know has none.
func layerOf(folder string) (layer, bool) {
	for _, l := range layers {
		if folder == l.folder || l.folder != "." && strings.HasPrefix(folder, l.folder+"/") {
			return l, true
		}
	}
	return layer{}, false
}

func isTestLibrary(imported string) bool {
	return slices.ContainsFunc(testLibraries, func(l string) bool {
		return imported == l || strings.HasPrefix(imported, l+"/")
	})
}
