package httpapi

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin/backend"
)

// TestEveryServedRouteIsListed: huma's operations and the router's patterns are
// in the list that other tests walk, with the scope that was declared for them.
func TestEveryServedRouteIsListed(t *testing.T) {
	a := New(Options{})
	if missing := a.mux.Undeclared(a.declares); len(missing) > 0 {
		t.Errorf("served without a declared scope: %v", missing)
	}
	if none := a.mux.Undeclared(func(backend.Pattern) bool { return false }); len(none) != len(a.routes) {
		t.Errorf("%d patterns served, %d routes listed", len(none), len(a.routes))
	}
	for path, item := range a.huma.OpenAPI().Paths {
		for method, operation := range map[string]*huma.Operation{
			"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete, "HEAD": item.Head, "OPTIONS": item.Options,
		} {
			listed := slices.ContainsFunc(a.Routes(), func(r Route) bool { return r.Method == method && r.Path == path })
			if operation != nil && !listed {
				t.Errorf("%s %s is an operation and not listed", method, path)
			}
		}
	}
}

// TestARouteWithoutAScopeIsListedAsSuch registers routes past the two functions
// that declare a scope: they are listed, without one.
func TestARouteWithoutAScopeIsListedAsSuch(t *testing.T) {
	cases := map[string]struct {
		register func(*API)
		want     Route
	}{
		"by the router":              {func(a *API) { a.mux.HandleFunc("GET /v2/leak", http.NotFound) }, Route{Method: "GET", Path: "/v2/leak"}},
		"by the router, as handler":  {func(a *API) { a.mux.Handle("POST /v2/leak", http.NotFoundHandler()) }, Route{Method: "POST", Path: "/v2/leak"}},
		"by the router, all methods": {func(a *API) { a.mux.HandleFunc("/v2/leak/", http.NotFound) }, Route{Path: "/v2/leak/"}},
		"by huma": {func(a *API) {
			huma.Get(a.huma, "/v2/leak", func(context.Context, *none) (*struct{}, error) { return nil, nil })
		}, Route{Method: "GET", Path: "/v2/leak"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := New(Options{})
			c.register(a)
			found := slices.IndexFunc(a.Routes(), func(r Route) bool { return r.Method == c.want.Method && r.Path == c.want.Path })
			if found < 0 {
				t.Fatalf("%s %s is served and not listed", c.want.Method, c.want.Path)
			}
			if r := a.Routes()[found]; r.Public || len(r.Scopes) > 0 {
				t.Errorf("got %+v, want no scope and not public", r)
			}
		})
	}
}
