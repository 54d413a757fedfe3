package orchestrator

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// unwatched is an orchestrator whose watch misses what the test writes to the store,
// with a node whose pool sends its one token when goOn is closed.
func unwatched(t *testing.T) (o *Orchestrator, st *store.Store, called, goOn chan struct{}) {
	t.Helper()
	o, st, _, called, goOn = detachable(t)
	return o, st, called, goOn
}

// detachable is unwatched with a way to take the store away.
func detachable(t *testing.T) (o *Orchestrator, st *store.Store, cut func(bool), called, goOn chan struct{}) {
	t.Helper()
	st = openStore(t)
	view, cut, err := st.View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if o, err = New(t.Context(), Config{Store: view, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()); view.Close() })
	called, goOn = onePool(t, o)
	return o, st, cut, called, goOn
}

// onePool gives the orchestrator a node with one slot, whose pool says when it is
// called and sends its one token when goOn is closed.
func onePool(t *testing.T, o *Orchestrator) (called, goOn chan struct{}) {
	t.Helper()
	called, goOn = make(chan struct{}, 10), make(chan struct{})
	pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called <- struct{}{}
		select {
		case <-goOn:
		case <-r.Context().Done():
			return
		case <-t.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, ev := range []nodeapi.Event{{Type: nodeapi.EventToken, Text: "contradiction"}, {Type: nodeapi.EventEnd}} {
			text, err := ev.AppendSSE(nil)
			if err != nil {
				t.Error(err)
			}
			w.Write(text)
		}
	}))
	t.Cleanup(pool.Close)
	_, err := o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: pool.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: true, SlotsFree: 1, SlotsTotal: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return called, goOn
}

// retracted waits until it is on disk that the task runs and shows nothing yet.
func retracted(t *testing.T, e *taskEntry) {
	t.Helper()
	written := func() bool {
		e.changing.Lock()
		defer e.changing.Unlock()
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.run != nil && e.run.written && !e.mayShow
	}
	for until := time.Now().Add(10 * time.Second); !written(); {
		if time.Now().After(until) {
			t.Fatal("that it runs, and shows nothing yet, is never written")
		}
		<-time.After(time.Millisecond)
	}
}

// completedAtOnce waits for the end of a task, which its first dispatch has to bring.
func completedAtOnce(t *testing.T, e *taskEntry) {
	t.Helper()
	select {
	case <-e.waitEnd():
	case <-time.After(10 * time.Second):
		t.Fatal("the task does not end")
	}
	if task := e.view(); task.State != Completed || task.Attempt != 1 {
		t.Errorf("got %s after %d dispatches, want it completed by the first", task.State, task.Attempt)
	}
}
