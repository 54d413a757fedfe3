package poolmanager

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// TestEachRouteNeedsItsScope: another test asks each route with the scopes that it declares,
// this one says which those are.
func TestEachRouteNeedsItsScope(t *testing.T) {
	routes := Routes()
	if len(routes) < 15 {
		t.Errorf("only %d routes are listed", len(routes))
	}
	for _, r := range routes {
		want := authmin.ScopeAdmin // logs and documents
		switch {
		case r.Path == "/health" || r.Path == "/ready":
			if !r.Public || len(r.Scopes) != 0 {
				t.Errorf("%s %s: got %+v, want it public", r.Method, r.Path, r)
			}
			continue
		case strings.HasSuffix(r.Path, "/metrics"):
			want = authmin.ScopeMetrics
		case strings.HasPrefix(r.Path, "/pools") && !strings.HasSuffix(r.Path, "/logs"):
			want = authmin.ScopeDispatch
		}
		if r.Public || len(r.Scopes) != 1 || r.Scopes[0] != want {
			t.Errorf("%s %s: got scopes %v, public %t, want %s", r.Method, r.Path, r.Scopes, r.Public, want)
		}
	}
}
