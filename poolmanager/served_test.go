package poolmanager

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin/backend"
)

// TestTheRouteListIsComplete: huma's operations and the router's patterns are in
// the list that other tests walk, each public or with a scope.
func TestTheRouteListIsComplete(t *testing.T) {
	a := newAPI(&environment{}, &manager{})
	if missing := a.mux.Undeclared(a.declares); len(missing) > 0 {
		t.Errorf("served without a declared scope: %v", missing)
	}
	if none := a.mux.Undeclared(func(backend.Pattern) bool { return false }); len(none) != len(a.routes) {
		t.Errorf("%d patterns served, %d routes listed", len(none), len(a.routes))
	}
	for _, r := range a.served() {
		if !r.Public && len(r.Scopes) == 0 {
			t.Errorf("%s %s is neither public nor has a scope", r.Method, r.Path)
		}
	}
	for path, item := range a.huma.OpenAPI().Paths {
		for method, operation := range map[string]*huma.Operation{
			"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete, "HEAD": item.Head, "OPTIONS": item.Options,
		} {
			listed := slices.ContainsFunc(a.served(), func(r Route) bool { return r.Method == method && r.Path == path })
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
		register func(*api)
		want     Route
	}{
		"by the router":              {func(a *api) { a.mux.HandleFunc("GET /leak", http.NotFound) }, Route{Method: "GET", Path: "/leak"}},
		"by the router, as handler":  {func(a *api) { a.mux.Handle("POST /leak", http.NotFoundHandler()) }, Route{Method: "POST", Path: "/leak"}},
		"by the router, all methods": {func(a *api) { a.mux.HandleFunc("/leak/", http.NotFound) }, Route{Path: "/leak/"}},
		"by huma": {func(a *api) {
			huma.Get(a.huma, "/leak", func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
		}, Route{Method: "GET", Path: "/leak"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAPI(&environment{}, &manager{})
			c.register(a)
			found := slices.IndexFunc(a.served(), func(r Route) bool { return r.Method == c.want.Method && r.Path == c.want.Path })
			if found < 0 {
				t.Fatalf("%s %s is served and not listed", c.want.Method, c.want.Path)
			}
			if r := a.served()[found]; r.Public || len(r.Scopes) > 0 {
				t.Errorf("got %+v, want no scope and not public", r)
			}
		})
	}
}
