package integration_test

import (
	"regexp"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/poolmanager"
)

// A place is one route of a contract, with its parameters filled in.
type place struct {
	method, pattern, path string
	scopes                []authmin.Scope
	public                bool
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

func newPlace(method, pattern string, scopes []authmin.Scope, public bool) place {
	return place{method, pattern, parameter.ReplaceAllString(pattern, "x"), scopes, public}
}

// contract lists every route of both backends, from the tables that serve
// them: a route that is added there is tested here.
func contract(t testing.TB) []place {
	t.Helper()
	var all []place
	for _, r := range httpapi.Routes() {
		all = append(all, newPlace(r.Method, r.Path, r.Scopes, r.Public))
	}
	for _, r := range poolmanager.Routes() {
		all = append(all, newPlace(r.Method, r.Path, r.Scopes, r.Public))
	}
	const least = 20 // the two tables have more; fewer means that they were not read
	if len(all) < least {
		t.Fatalf("%d routes, want at least %d", len(all), least)
	}
	return all
}

// TestOnlyHealthIsPublic: but for /ready, the tables themselves open nothing else.
func TestOnlyHealthIsPublic(t *testing.T) {
	for _, p := range contract(t) {
		if want := p.method == "GET" && (p.path == "/health" || p.path == "/ready"); p.public != want {
			t.Errorf("%s %s: public is %v", p.method, p.pattern, p.public)
		}
		if !p.public && len(p.scopes) == 0 {
			t.Errorf("%s %s needs no scope", p.method, p.pattern)
		}
	}
}
