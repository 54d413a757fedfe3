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
// It may import itself and what is listed here; third-party modules are
// allowed except Caddy, and except in layers that keep to the standard library.
// The test files of every layer may import integration/testkit as well.
type layer struct {
	folder  string
	may     []string // layers, by folder; "*" is every layer
	caddy   bool
	stdOnly bool
}

// layers is the table of the design, the longest folders first.
var layers = []layer{
	{folder: "integration/testkit", stdOnly: true},
	{folder: "poolmanager/nodeapi", may: []string{"authmin", "authmin/jsonbody"}, stdOnly: true},
	{folder: "poolmanager/modelref", may: []string{"authmin"}, stdOnly: true},
	{folder: "authmin/backend", may: []string{"authmin", "authmin/jsonbody"}},
	{folder: "authmin/jsonbody", stdOnly: true},
	{folder: "authmin/gcpace"},
	{folder: "authmin/usage", may: []string{"authmin/jsonbody"}, stdOnly: true},
	{folder: "caddymodule/trail", may: []string{"authmin"}},
	{folder: "caddymodule/budget", may: []string{"authmin"}},
	{folder: "caddymodule/cli", may: []string{"caddymodule", "caddymodule/budget", "caddymodule/trail", "authmin"}, caddy: true},
	{folder: "caddymodule/page", may: []string{"caddymodule", "caddymodule/trail", "authmin"}, caddy: true},
	{folder: "caddymodule/cmd", may: []string{"*"}, caddy: true},
	{folder: "authmin", stdOnly: true},
	{folder: "poolmanager", may: []string{"authmin", "authmin/backend", "authmin/gcpace", "authmin/jsonbody", "poolmanager/nodeapi", "poolmanager/modelref"}},
	{folder: "orchestrator", may: []string{"authmin", "authmin/backend", "authmin/gcpace", "authmin/jsonbody", "poolmanager/nodeapi", "poolmanager/modelref"}},
	{folder: "caddymodule", may: []string{"authmin", "authmin/gcpace", "authmin/jsonbody", "authmin/usage", "caddymodule/budget", "caddymodule/trail"}, caddy: true},
	{folder: "integration", may: []string{"*"}, caddy: true},
	{folder: "deploy/release"},
	{folder: "deploy/chart"},
	{folder: ".", may: []string{"caddymodule", "caddymodule/cli", "caddymodule/page"}}, // doc.go, for xcaddy
}

// testkit is what test files of every layer share.
const testkit = "integration/testkit"

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
		"the wire types":                   {"poolmanager/engine.go", module + "/poolmanager/nodeapi", true},
		"Caddy in its adapter":             {"caddymodule/app.go", "github.com/caddyserver/caddy/v2", true},
		"a test library in the product":    {"authmin/secret.go", "pgregory.net/rapid", false},
		"a module in authmin":              {"authmin/secret.go", "golang.org/x/time/rate", false},
		"a module in an authmin test":      {"authmin/secret_test.go", "golang.org/x/time/rate", false},
		"a module in the client":           {"poolmanager/nodeapi/client.go", "github.com/google/uuid", false},
		"a secret in the client":           {"poolmanager/nodeapi/client.go", module + "/authmin", true},
		"the ground floor":                 {"orchestrator/app/app.go", module + "/authmin/backend", true},
		"the ground floor below itself":    {"authmin/decide.go", module + "/authmin/backend", false},
		"the ground floor at the edge":     {"caddymodule/app.go", module + "/authmin/backend", false},
		"the JSON scanner at the edge":     {"caddymodule/guard.go", module + "/authmin/jsonbody", true},
		"the JSON scanner in a backend":    {"orchestrator/httpapi/api.go", module + "/authmin/jsonbody", true},
		"the JSON scanner in the client":   {"poolmanager/nodeapi/client.go", module + "/authmin/jsonbody", true},
		"the JSON scanner below itself":    {"authmin/decide.go", module + "/authmin/jsonbody", false},
		"authmin in the JSON scanner":      {"authmin/jsonbody/scanner.go", module + "/authmin", false},
		"a module in the JSON scanner":     {"authmin/jsonbody/scanner.go", "github.com/google/uuid", false},
		"the trail":                        {"caddymodule/guard.go", module + "/caddymodule/trail", true},
		"the budgets":                      {"caddymodule/guard.go", module + "/caddymodule/budget", true},
		"the edge in the budgets":          {"caddymodule/budget/ledger.go", module + "/caddymodule", false},
		"Caddy in the budgets":             {"caddymodule/budget/ledger.go", "github.com/caddyserver/caddy/v2", false},
		"the edge in the trail":            {"caddymodule/trail/queue.go", module + "/caddymodule", false},
		"Caddy in the trail":               {"caddymodule/trail/queue.go", "github.com/caddyserver/caddy/v2", false},
		"the commands in the edge":         {"caddymodule/guard.go", module + "/caddymodule/cli", false},
		"the page in the edge":             {"caddymodule/guard.go", module + "/caddymodule/page", false},
		"the edge in the page":             {"caddymodule/page/live.go", module + "/caddymodule", true},
		"the page in the commands":         {"caddymodule/cli/check.go", module + "/caddymodule/page", false},
		"the edge in the commands":         {"caddymodule/cli/check.go", module + "/caddymodule", true},
		"model references in both":         {"orchestrator/catalog_verify.go", module + "/poolmanager/modelref", true},
		"testkit in a test":                {"authmin/secret_test.go", module + "/integration/testkit", true},
		"testkit in the product":           {"authmin/secret.go", module + "/integration/testkit", false},
		"testkit in integration":           {"integration/gatewaytest/wait.go", module + "/integration/testkit", true},
		"testkit in a cmd":                 {"caddymodule/cmd/llorch/up.go", module + "/integration/testkit", false},
		"a module in testkit":              {"integration/testkit/wait.go", "github.com/google/uuid", false},
		"the product in testkit":           {"integration/testkit/wait.go", module + "/authmin", false},
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
		"a module in the release":          {"deploy/release/sbom.go", "github.com/CycloneDX/cyclonedx-go", true},
		"the product in the release":       {"deploy/release/sbom.go", module + "/authmin", false},
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
		return refuseOurs(from, file, strings.TrimPrefix(target, "/"))
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

func refuseOurs(from layer, file, folder string) string {
	to, _ := layerOf(folder)
	switch {
	case to.folder == testkit && strings.HasSuffix(file, "_test.go"):
		return ""
	case slices.Contains(strings.Split(folder, "/"), "cmd"):
		return "nothing imports a cmd: " + folder
	case to.folder == from.folder:
		return ""
	case strings.HasPrefix(to.folder, "integration") && from.folder != "integration":
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
