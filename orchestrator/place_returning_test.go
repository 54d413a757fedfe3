package orchestrator

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestNoFallbackBeforeTheNodesAreBack starts again over the same state: the node with the
// model registers again with its next heartbeat, and a fallback that is there earlier does
// not take its tasks.
func TestNoFallbackBeforeTheNodesAreBack(t *testing.T) {
	var late atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	st := openStore(t)
	newWith(t, Config{Store: st}).Stop(context.Background()) // with a node of its own

	o, err := New(t.Context(), Config{Store: st, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	register := func(node, model string) {
		t.Helper()
		if _, err := o.RegisterNode(t.Context(), Who{Identity: node}, nodeapi.RegisterRequest{
			NodeID: node, Address: "http://127.0.0.1:1", DispatchToken: "node-token-of-at-least-32-characters",
			Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: model, Ready: true, SlotsTotal: 1}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	register("s", "small")
	if _, err := o.AddModel(t.Context(), ci, ModelRequest{ID: "m", Digest: "sha256:" + strings.Repeat("0", 64), SourceURL: "file:x", Fallback: []string{"small"}}); err != nil {
		t.Fatal(err)
	}
	needs := Needs{Model: "m"}
	if _, got := o.runnable(needs); got != "" {
		t.Errorf("after a start: got fallback %q", got)
	}
	late.Store(int64(returnWithin))
	if _, got := o.runnable(needs); got != "small" {
		t.Errorf("when their time is over: got %q, want small", got)
	}
	late.Store(0)
	register("n", "other") // the node is back, without the model
	if _, got := o.runnable(needs); got != "small" {
		t.Errorf("with all nodes back: got %q, want small", got)
	}
}

// TestARecordOfANewerCatalogIsRead: on a rolling update, members that this version does not
// know are no reason to lose the entry.
func TestARecordOfANewerCatalogIsRead(t *testing.T) {
	m, err := (&catalog{}).decode([]byte(`{"id":"m","fallback":["s"],"later":[{"a":1}],"state":"Active"}`))
	if err != nil || m.ID != "m" || len(m.Fallback) != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
}

// TestATaskThatIsQueuedAgainHasNoModelUsed: it may run on another one then.
func TestATaskThatIsQueuedAgainHasNoModelUsed(t *testing.T) {
	task := Task{State: Running, ModelRef: "m", ModelUsed: "small"}
	if backToQueue(&task); task.ModelUsed != "" || task.model() != "m" {
		t.Errorf("got %+v", task)
	}
}
