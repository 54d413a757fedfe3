package orchestrator

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestATailWithoutReadersIsReleased: a reader on a replica that does not run the
// task stops reading, and resumes.
func TestATailWithoutReadersIsReleased(t *testing.T) {
	o, st, called, goOn := unwatched(t)
	view, _, err := st.View(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	b, err := New(t.Context(), Config{
		Store: view, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(context.Background()); view.Close() })
	id := waitingTask(t, o)
	testkit.Receive(t, called, "the engine's call")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := b.Follow(ci, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := r.Next(ctx); err != nil || events[0].Type != EventStarted {
		t.Fatalf("got %v, %v, want started", events, err)
	}
	fed := func() (n int) {
		b.tails.fed.Range(func(any, any) bool { n++; return true })
		return n
	}
	b.tails.checkFed(ctx)
	if e := b.found(ci, id); fed() != 1 || e.tail == nil {
		t.Fatal("given up at once")
	}
	later.Store(int64(tailIdle + time.Second))
	b.tails.checkFed(ctx)
	e := b.found(ci, id)
	e.mu.Lock()
	gone := e.tail == nil && e.stopFeed == nil
	e.mu.Unlock()
	if fed() != 0 || !gone {
		t.Errorf("%d tails are fed, gone: %v", fed(), gone)
	}
	close(goOn)
	var rest []EventType
	for events, err := r.Next(ctx); err == nil; events, err = r.Next(ctx) {
		for _, ev := range events {
			rest = append(rest, ev.Type)
		}
	}
	if len(rest) != 2 || rest[0] != EventToken || rest[1] != EventEnd {
		t.Errorf("when it came back: got %v, want a token and the end", rest)
	}
}
