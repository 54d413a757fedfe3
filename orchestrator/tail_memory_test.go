package orchestrator

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// heard is told of each line of a log that has the text.
type heard struct {
	text string
	told chan struct{}
}

func (h heard) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(h.text)) {
		select {
		case h.told <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// TestATailGoesWhenTheLogIsBack has a task end while the log cannot be asked.
func TestATailGoesWhenTheLogIsBack(t *testing.T) {
	t.Parallel()
	view, cut, err := openStore(t).View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	behind := heard{"event log is behind", make(chan struct{}, 1)}
	o, err := New(t.Context(), Config{Store: view, Log: slog.New(slog.NewTextHandler(behind, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()); view.Close() })
	e := &taskEntry{id: "ended", tail: newTail(0, nil)}
	cut(true)
	o.tails.release(e)
	select {
	case <-behind.told:
	case <-time.After(10 * time.Second):
		t.Fatal("the log was asked all the same")
	}
	cut(false)
	testkit.Eventually(t, "the tail is given up", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.tail == nil
	})
}

// TestALargeRequestIsNotKeptWhileItsTaskWaitsAgain has a pool refuse a task.
func TestALargeRequestIsNotKeptWhileItsTaskWaitsAgain(t *testing.T) {
	pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	t.Cleanup(pool.Close)
	o := newWith(t, Config{Store: openStore(t)})
	_, err := o.RegisterNode(t.Context(), Who{Identity: "busy"}, nodeapi.RegisterRequest{
		NodeID: "busy", Address: pool.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: true, SlotsFree: 1, SlotsTotal: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: strings.Repeat("x", 2*keepRequest), DeadlineMS: 60_000}, "")
	if err != nil {
		t.Fatal(err)
	}
	e := o.found(ci, a.TaskID)
	testkit.Eventually(t, "the task waits again, without its request", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.run == nil && e.task.Attempt > 0 && e.task.State == Queued && e.request == nil
	})
}
