package orchestrator

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// gated is a log that waits at a line, once.
type gated struct {
	slog.Handler
	at     string
	there  chan struct{}
	goOn   chan struct{}
	passed *bool // written by the one goroutine that logs the line
}

func (g gated) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == g.at && !*g.passed {
		*g.passed = true
		close(g.there)
		<-g.goOn
	}
	return nil
}

func (g gated) Enabled(context.Context, slog.Level) bool { return true }

// TestATaskThatIsBeingPlacedAtAStopIsDrained stops in the moment between the
// choice of a pool and the dispatch: the task counts as running.
func TestATaskThatIsBeingPlacedAtAStopIsDrained(t *testing.T) {
	pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, ev := range []nodeapi.Event{{Type: nodeapi.EventToken, Text: "x"}, {Type: nodeapi.EventEnd, TokensOut: 1}} {
			text, _ := ev.AppendSSE(nil)
			_, _ = w.Write(text)
		}
	}))
	t.Cleanup(pool.Close)
	log := gated{slog.DiscardHandler, "placed", make(chan struct{}), make(chan struct{}), new(bool)}
	o, err := New(t.Context(), Config{Store: openStore(t), Settings: Settings{Drain: time.Hour}, Log: slog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: pool.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: true, SlotsFree: 1, SlotsTotal: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := waitingTask(t, o)
	testkit.Receive(t, log.there, "the write to the log")
	stopped := make(chan error, 1)
	go func() { stopped <- o.Stop(context.Background()) }()
	select {
	case <-o.lifecycle.ctx.Done():
		t.Error("the stop did not wait for what was being placed")
	case <-time.After(300 * time.Millisecond): // much longer than a stop takes that has nothing to wait for
	}
	close(log.goOn)
	if err := testkit.Receive(t, stopped, "the end of the stop"); err != nil {
		t.Fatal(err)
	}
	if task := o.found(ci, id).view(); task.State != Completed {
		t.Errorf("got %s, want it completed", task.State)
	}
}

// TestAStopWaitsForACheckThatIsBeingBegun: what is waited for has to be known by
// then.
func TestAStopWaitsForACheckThatIsBeingBegun(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	testkit.Eventually(t, "it schedules", o.scheduler.leading.Load)
	o.catalog.mu.Lock()
	stopped := make(chan error, 1)
	go func() { stopped <- o.Stop(context.Background()) }()
	select {
	case <-stopped:
		t.Fatal("the stop did not wait")
	case <-time.After(300 * time.Millisecond): // much longer than a stop takes that has nothing to wait for
	}
	o.catalog.mu.Unlock()
	if err := testkit.Receive(t, stopped, "the end of the stop"); err != nil {
		t.Fatal(err)
	}
}
