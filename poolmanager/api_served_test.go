package poolmanager

import (
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// TestTheRouteListIsComplete: huma's operations and the router's patterns are in
// the list that other tests walk, each public or with a scope.
func TestTheRouteListIsComplete(t *testing.T) {
	a := newAPI(&environment{}, &manager{})
	for _, r := range a.Routes() {
		if !r.Public && len(r.Scopes) == 0 {
			t.Errorf("%s %s is neither public nor has a scope", r.Method, r.Path)
		}
	}
	for path, item := range a.Huma().OpenAPI().Paths {
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
