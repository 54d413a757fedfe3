package orchestrator

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAModelIsNotUnknownBeforeItsNodesAreBack starts again over the same state, and without
// the file of known nodes, as after an update: what nodes reported was in memory, and a 404
// would tell clients to give up on a model that is there again with its node's registration.
func TestAModelIsNotUnknownBeforeItsNodesAreBack(t *testing.T) {
	var late atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	st := openStore(t)
	newWith(t, Config{Store: st}).Stop(context.Background())
	if err := st.SaveFile(keptFile, []byte("[]")); err != nil {
		t.Fatal(err)
	}

	o, err := New(t.Context(), Config{Store: st, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	refusal := func(model string) *Error {
		_, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: model, Prompt: "x"}, "")
		e, _ := AsError(err)
		return e
	}
	if e := refusal("m"); e == nil || e.Kind != Unavailable || e.Code != "NODES_RETURNING" || e.RetryAfter <= 0 || e.RetryAfter > returnWithin {
		t.Errorf("after a start: got %+v, want to be told when to come back", e)
	}
	late.Store(int64(returnWithin))
	if e := refusal("m"); e == nil || e.Code != "MODEL_NOT_AVAILABLE" {
		t.Errorf("when their time is over: got %+v", e)
	}
	late.Store(0)
	if _, err := o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: "http://127.0.0.1:1", DispatchToken: "node-token-of-at-least-32-characters", Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}},
	}); err != nil {
		t.Fatal(err)
	}
	if e := refusal("m"); e != nil {
		t.Errorf("with its node: got %+v", e)
	}
	if e := refusal("other"); e == nil || e.Code != "MODEL_NOT_AVAILABLE" {
		t.Errorf("when all are back, of a model that none has: got %+v", e)
	}
}
