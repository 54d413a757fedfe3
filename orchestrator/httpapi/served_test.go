package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// TestEveryServedRouteIsListed: every operation is in the list that other tests walk,
// and each route is public or has a scope.
func TestEveryServedRouteIsListed(t *testing.T) {
	a := New(Options{})
	document, err := json.Marshal(a.base.Huma().OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var listed []testkit.Route
	for _, r := range a.Routes() {
		listed = append(listed, testkit.Route{Method: r.Method, Path: r.Path, Declared: r.Public || len(r.Scopes) > 0})
	}
	testkit.CheckRoutes(t, document, listed)
}
