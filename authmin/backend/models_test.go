package backend

import (
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
)

// What is not said to check models is closed to a caller with a list, scope admin included.
func TestRoutesAreClosedToACallerWithAList(t *testing.T) {
	few, err := authmin.ParseModels("tiny")
	if err != nil {
		t.Fatal(err)
	}
	marked := &huma.Operation{}
	ChecksModels(marked)
	for name, c := range map[string]struct {
		models *authmin.Models
		op     *huma.Operation
		scope  authmin.Scope
		closed bool
	}{
		"no list":              {nil, nil, authmin.ScopeAdmin, false},
		"infer":                {few, nil, authmin.ScopeInfer, false},
		"metrics":              {few, nil, authmin.ScopeMetrics, false},
		"admin":                {few, nil, authmin.ScopeAdmin, true},
		"dispatch":             {few, &huma.Operation{}, authmin.ScopeDispatch, true},
		"one that checks":      {few, marked, authmin.ScopeDispatch, false},
		"a list without names": {new(authmin.Models), nil, authmin.ScopeCatalog, true},
	} {
		got := closedToList(Caller{Models: c.models, Scopes: authmin.AllScopes()}, c.op, []authmin.Scope{c.scope})
		if got != c.closed {
			t.Errorf("%s: closed is %t", name, got)
		}
	}
}
