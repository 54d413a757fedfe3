package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// unreadable has the next n reads of a key fail, as while replicas elect a leader.
func unreadable(o *Orchestrator, n int64) *atomic.Int64 {
	left := &atomic.Int64{}
	left.Store(n)
	o.seals.key = func(ctx context.Context, name string) ([]byte, error) {
		if left.Add(-1) >= 0 {
			return nil, fmt.Errorf("reading key: %w", store.ErrUnavailable)
		}
		return o.store.Keys().Key(ctx, name)
	}
	return left
}

// TestARecordOfEventsWaitsForItsKey: it is written when the key can be read. Where the key
// was destroyed, or the log is another replica's by then, it is not waited for.
func TestARecordOfEventsWaitsForItsKey(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	const id, record = "01900000-0000-7000-8000-000000000001", `[{"id":1,"type":"started","data":{}}]`
	key, err := o.seals.newKey(t.Context())
	if err != nil || key == "" {
		t.Fatalf("got the key %q, %v", key, err)
	}
	left := unreadable(o, 2)
	o.tails.writer(t.Context(), id, key)([]byte(record))
	if err := o.store.Events().Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, cursor, err := o.store.Events().Read(t.Context(), id, 0)
	if err != nil || left.Load() >= 0 {
		t.Fatalf("got %v, %d reads are left to fail", err, left.Load())
	}
	if text, err := o.seals.open(t.Context(), key, id, stored); err != nil || string(text) != record || string(stored) == record {
		t.Errorf("got %q, %v, want the record, encrypted", text, err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	unreadable(o, 1<<40)
	begin := time.Now()
	o.tails.writer(given, id, key)([]byte(record))
	if took := time.Since(begin); took >= keyPatience {
		t.Errorf("a log that is another replica's was waited for: %s", took)
	}
	if err := o.store.Keys().Destroy(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	unreadable(o, 0)
	o.tails.writer(t.Context(), id, key)([]byte(record))
	if a, err := o.seals.patientAEAD(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a key that was destroyed: got %v, %v", a, err)
	}
	if err := o.store.Events().Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if more, _, err := o.store.Events().Read(t.Context(), id, cursor); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a record without its key: got %q, %v, want none", more, err)
	}
}

// TestAReaderComesBackToARecordWhoseKeyCouldNotBeRead, and gets no gap in its place.
func TestAReaderComesBackToARecordWhoseKeyCouldNotBeRead(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	pieces := newCallNode(t, o)
	call := largeCall(10)
	call.Key = "k"
	a, err := o.SubmitCall(t.Context(), ci, call)
	if err != nil {
		t.Fatal(err)
	}
	e := o.found(ci, a.TaskID)
	testkit.Eventually(t, "the call is whole and only the log has its events", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.task.State == Completed && e.tail == nil
	})
	left := unreadable(o, 1)
	reader, err := o.Follow(ci, a.TaskID, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for {
		events, err := reader.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if ev.Type == EventGap {
				t.Errorf("got a gap: %s", ev.Data)
			}
			if ev.Type.Raw() {
				got += string(ev.Data)
			}
		}
	}
	if got != pieces || left.Load() >= 0 {
		t.Errorf("got %q, want %q; %d reads are left to fail", got, pieces, left.Load())
	}
}
