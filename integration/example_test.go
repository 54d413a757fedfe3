package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// scopes are the ones of the shipped policy.
var scopes = []authmin.Scope{
	authmin.ScopeInfer, authmin.ScopeNodes, authmin.ScopeDispatch,
	authmin.ScopeCatalog, authmin.ScopeMetrics, authmin.ScopeAdmin,
}

// coarser are the routes where the gateway lets more through than the backend
// does, which looks again.
var coarser = map[string]authmin.Scope{"GET /pools/{id}/logs": authmin.ScopeDispatch}

// TestExamplePolicy sends a request to each route of both backends through
// Caddyfile.example, with a token of each scope. Allowed are the scopes that the
// route declares, and admin.
func TestExamplePolicy(t *testing.T) {
	address := startExample(t)
	for _, p := range contract(t) {
		for _, scope := range scopes {
			client := gatewaytest.Client{Base: "http://" + address, Token: tokenOf(scope)}
			res, err := client.Do(p.method, p.path, "")
			if err != nil {
				t.Fatal(err)
			}
			may := p.public || scope == authmin.ScopeAdmin || slices.Contains(p.scopes, scope) ||
				coarser[p.method+" "+p.pattern] == scope
			if passed := res.Status == http.StatusOK; passed != may || !passed && res.Status != http.StatusForbidden {
				t.Errorf("%s %s with scope %s: %d, want passing %v", p.method, p.pattern, scope, res.Status, may)
			}
		}
	}
}

func tokenOf(scope authmin.Scope) string { return strings.Repeat(string(scope)+"-", 12) }

// startExample runs Caddyfile.example with its addresses replaced by free
// ones, and with upstreams that agree to everything.
func startExample(t *testing.T) string {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	yes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(yes.Close)
	upstream := yes.Listener.Addr().String()
	address := testkit.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	var tokens []string
	for _, scope := range scopes {
		tokens = append(tokens, fmt.Sprintf("token t-%s {env.TOKEN_%s} %[1]s", scope, strings.ToUpper(string(scope))))
	}
	block := "grace_period 5s\nauthmin {\n" + strings.Join(tokens, "\n") + "\n}\n"
	config := replaceAll(t, string(text), map[string]string{
		":8080": ":" + port, "127.0.0.1:8081": upstream, "127.0.0.1:9200": upstream, "grace_period 5s\n": block,
	})
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"LLORCH_ADMIN_SOCKET=" + filepath.Join(dir, "admin.sock"),
		"LLORCH_UPSTREAM_TOKEN=" + strings.Repeat("upstream-", 4),
	}
	for _, scope := range scopes {
		env = append(env, fmt.Sprintf("TOKEN_%s=%s", strings.ToUpper(string(scope)), tokenOf(scope)))
	}
	gatewaytest.Start(t, env, "run", "--adapter", "caddyfile", "--config", file).Listening(t, address)
	return address
}

// replaceAll fails when the example no longer has what is replaced.
func replaceAll(t *testing.T, text string, pairs map[string]string) string {
	t.Helper()
	for from, to := range pairs {
		if !strings.Contains(text, from) {
			t.Fatalf("Caddyfile.example has no %q", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}
