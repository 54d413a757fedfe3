package backend

import (
	"context"
	"testing"

	"github.com/llorch/gateway/authmin"
)

func TestAnEmptyContextHasNoCaller(t *testing.T) {
	ctx := context.Background()
	if id, caller := authmin.CorrelationID(ctx), CallerFrom(ctx); id != "" || caller.Name != "" || caller.Allows(authmin.AllScopes()...) {
		t.Errorf("got %q and %v", id, caller)
	}
	ctx = WithCaller(authmin.WithCorrelationID(ctx, "a"), Caller{Name: "ci", Scopes: []authmin.Scope{authmin.ScopeInfer}})
	if id, caller := authmin.CorrelationID(ctx), CallerFrom(ctx); id != "a" || caller.Name != "ci" || !caller.Allows(authmin.ScopeInfer) {
		t.Errorf("got %q and %v", id, caller)
	}
}
