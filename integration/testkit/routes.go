package testkit

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Route is one route of a service's own list.
type Route struct {
	Method, Path string
	// Declared: it is public on purpose, or needs a scope.
	Declared bool
}

// CheckRoutes compares a service's list of routes, which other tests walk, with the
// paths of its OpenAPI document: every operation is listed, and every listed route is
// declared to be public or to need a scope. The list may have routes that the document
// does not, such as metrics.
func CheckRoutes(t testing.TB, document []byte, listed []Route) {
	t.Helper()
	var api struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(document, &api); err != nil || len(api.Paths) == 0 {
		t.Fatalf("reading the OpenAPI document: %d paths, %v", len(api.Paths), err)
	}
	for _, r := range listed {
		if !r.Declared {
			t.Errorf("%s %s is neither public nor has a scope", r.Method, r.Path)
		}
	}
	for path, item := range api.Paths {
		for key := range item {
			method := strings.ToUpper(key)
			if !slices.Contains(methods, method) {
				continue // a summary, parameters
			}
			if !slices.ContainsFunc(listed, func(r Route) bool { return r.Method == method && r.Path == path }) {
				t.Errorf("%s %s is an operation and not listed", method, path)
			}
		}
	}
}

// methods are those of OpenAPI's path item.
var methods = []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}
