package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// scopeOf is the scope of a route, told anew by its method and path.
func scopeOf(method, path string) authmin.Scope {
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) })
	}
	switch {
	case path == "/health" || path == "/ready":
		return ""
	case begins("/v2/nodes/", "/v2/workers/"):
		return authmin.ScopeNodes
	case begins("/v2/catalog/"):
		return authmin.ScopeCatalog
	case begins("/metrics", "/orchestrator/metrics", "/v2/meta/replica"):
		return authmin.ScopeMetrics
	case begins("/v2/tasks", "/v2/sessions/", "/v2/artifacts", "/v2/meta/", "/v1/", "/api/"):
		return authmin.ScopeInfer
	}
	return authmin.ScopeAdmin // GET /v2/nodes, pools, /control, the documents, and what is new
}

// TestEachRouteNeedsItsScope: another test asks each route with the scopes that it declares,
// this one says which those are.
func TestEachRouteNeedsItsScope(t *testing.T) {
	seen := map[authmin.Scope]int{}
	for _, r := range Routes() {
		want := scopeOf(r.Method, r.Path)
		seen[want]++
		if want == "" {
			if !r.Public || len(r.Scopes) != 0 {
				t.Errorf("%s %s: got %+v, want it public", r.Method, r.Path, r)
			}
			continue
		}
		if r.Public || len(r.Scopes) != 1 || r.Scopes[0] != want {
			t.Errorf("%s %s: got scopes %v, public %t, want %s", r.Method, r.Path, r.Scopes, r.Public, want)
		}
	}
	for _, scope := range []authmin.Scope{"", authmin.ScopeInfer, authmin.ScopeNodes, authmin.ScopeCatalog, authmin.ScopeMetrics, authmin.ScopeAdmin} {
		if seen[scope] == 0 {
			t.Errorf("no route of scope %q is listed", scope)
		}
	}
}
