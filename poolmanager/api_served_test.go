package poolmanager

import (
	"encoding/json"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// TestTheRouteListIsComplete: every operation is in the list that other tests walk,
// and each route is public or has a scope.
func TestTheRouteListIsComplete(t *testing.T) {
	a := newAPI(&environment{}, &manager{})
	document, err := json.Marshal(a.Huma().OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var listed []testkit.Route
	for _, r := range a.Routes() {
		listed = append(listed, testkit.Route{Method: r.Method, Path: r.Path, Declared: r.Public || len(r.Scopes) > 0})
	}
	testkit.CheckRoutes(t, document, listed)
}
