package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

var ci = Who{Identity: "ci"}

// newWith makes an orchestrator that knows the model m from a node that is not
// there.
func newWith(t *testing.T, c Config) *Orchestrator {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	o, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	_, err = o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: "http://127.0.0.1:1", DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func waitingTask(t *testing.T, o *Orchestrator) (id string) {
	t.Helper()
	a, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "x", DeadlineMS: 60_000}, "")
	if err != nil {
		t.Fatal(err)
	}
	return a.TaskID
}

// TestAStepOfTheClockMovesNoDeadline looks for Go's monotonic reading in every
// time that a decision compares with now: with it, setting the wall clock
// changes nothing.
func TestAStepOfTheClockMovesNoDeadline(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	id := waitingTask(t, o)
	session := o.found(ci, id).task.SessionID
	o.queue.mu.Lock()
	w := o.queue.index[id].waiting
	o.queue.mu.Unlock()
	o.sessions.mu.Lock()
	s := *o.sessions.find(session)
	o.sessions.mu.Unlock()
	o.nodes.mu.Lock()
	n := o.nodes.byID["n"]
	n.breaker.fail(o.now())
	times := map[string]time.Time{
		"deadline": w.deadline, "session's end": s.expires, "node's last call": n.seen, "breaker's opening": n.breaker.openedAt,
	}
	o.nodes.mu.Unlock()
	for what, at := range times {
		if !strings.Contains(at.String(), "m=") {
			t.Errorf("the %s is %s: a wall clock's time alone", what, at)
		}
	}
}

// TestAClockSetBackOverARestartDelaysNoTask starts again ten years
// earlier, and once ten years later.
func TestAClockSetBackOverARestartDelaysNoTask(t *testing.T) {
	st := openStore(t)
	now := time.Now().UTC()
	at := func() time.Time { return now }
	o := newWith(t, Config{Store: st, Now: at})
	id := waitingTask(t, o)
	if err := o.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(-10, 0, 0)
	o = newWith(t, Config{Store: st, Now: at})
	o.queue.mu.Lock()
	w := o.queue.index[id].waiting
	o.queue.mu.Unlock()
	if left := w.deadline.Sub(now); left > time.Minute {
		t.Errorf("ten years back: %s left, want a minute at most", left)
	}
	if err := o.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(20, 0, 0)
	o = newWith(t, Config{Store: st, Now: at})
	r, err := o.Follow(ci, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	events, err := r.Next(t.Context())
	if err != nil || events[0].Type != EventError || !strings.Contains(string(events[0].Data), "DEADLINE_EXCEEDED") {
		t.Errorf("ten years on: got %v, %v, want DEADLINE_EXCEEDED", events, err)
	}
}

func TestTheBytesOfAllTasksAreBounded(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	first := waitingTask(t, o)
	held := o.tasks.bytes.Total()
	o.tasks.bytes.Add("others", maxTaskBytes-held)
	_, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "x"}, "")
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Unavailable || e.Code != "STORE_FULL" {
		t.Errorf("got %v, want STORE_FULL", err)
	}
	if o.queue.pending != 0 || o.queue.depth(Interactive) != 1 {
		t.Errorf("a refused task holds room: %d reserved", o.queue.pending)
	}
	o.tasks.bytes.Add("others", held-maxTaskBytes)
	if err := o.Cancel(t.Context(), ci, first); err != nil {
		t.Fatal(err)
	}
	if err := o.forget(first); err != nil {
		t.Fatal(err)
	}
	if left := o.tasks.bytes.Total(); left != 0 {
		t.Errorf("%d bytes counted with no task left", left)
	}
	if _, err := o.store.Bucket(store.Tasks).Get(t.Context(), first); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
