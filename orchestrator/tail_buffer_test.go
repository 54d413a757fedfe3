package orchestrator

import (
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/llorch/gateway/integration/testkit"
)

// TestTheTailLosesNothing checks, for any sizes of events, that memory is
// bounded and that what has left memory is in the log.
func TestTheTailLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var mu sync.Mutex
		var logged []Event
		tl := newTail(7, func(record []byte) {
			batch, err := decodeBatch(record)
			if err != nil {
				t.Errorf("log record: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			logged = append(logged, batch...)
		})
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{1, 100, 20_000, 100_000}), 1, 30).Draw(t, "sizes")
		for i, size := range sizes {
			tl.add(EventToken, encodeToken(strings.Repeat("x", size), i))
			mu.Lock()
			inLog := uint64(len(logged)) + 8
			mu.Unlock()
			if _, _, ok := tl.since(inLog); !ok {
				t.Fatalf("event %d is neither in memory nor in the log", inLog)
			}
			if len(tl.events) > 1 && tl.bytes > tailBytes {
				t.Fatalf("%d bytes in %d events", tl.bytes, len(tl.events))
			}
		}
		last := tl.seal()
		tl.add(EventToken, encodeToken("after the end was decided", 0))
		tl.finish(newEvent(last+1, EventEnd, endData{}), last)
		mu.Lock()
		defer mu.Unlock()
		if len(logged) != len(sizes) || logged[0].ID != 8 || last != logged[len(logged)-1].ID {
			t.Fatalf("log has %d events, want %d", len(logged), len(sizes))
		}
		for i, ev := range logged {
			if ev.ID != uint64(i)+8 {
				t.Fatalf("event %d has id %d", i, ev.ID)
			}
		}
	})
}

func TestReadersWakeForTheNextEvent(t *testing.T) {
	tl := newTail(0, func([]byte) {})
	_, first, ok := tl.since(1)
	_, second, _ := tl.since(1)
	if !ok {
		t.Fatal("the first event is said to be gone")
	}
	tl.add(EventStarted, encodeData(startedData{}))
	testkit.Receive(t, first, "the first reader")
	testkit.Receive(t, second, "the second reader")
	if events, _, _ := tl.since(1); len(events) != 1 || events[0].ID != 1 {
		t.Errorf("got %v", events)
	}
}

// TestATaskWaitsForItsLog has the log take its time: a task goes on until half of
// the tail waits, then it waits as well. Everything is written, in its order.
func TestATaskWaitsForItsLog(t *testing.T) {
	goOn := make(chan struct{})
	var logged []Event
	tl := newTail(0, func(record []byte) {
		<-goOn
		batch, err := decodeBatch(record)
		if err != nil {
			t.Error(err)
		}
		logged = append(logged, batch...)
	})
	tl.rewrite(newEvent(1, EventStarted, startedData{}))
	tl.last = 1
	const tokens = 3 * maxPendingEvents
	added, done := make(chan int, tokens), make(chan struct{})
	go func() {
		defer close(done)
		for i := range tokens {
			tl.add(EventToken, encodeToken("x", i))
			added <- i
		}
	}()
	const least, held = maxPendingEvents - 2, 2 * maxPendingEvents // one is filled, and perhaps another being written
	select {
	case <-done:
		t.Fatal("the task did not wait")
	case <-time.After(time.Second):
	}
	if n := len(added); n < least || n > held {
		t.Errorf("the task waits after %d tokens, want %d to %d", n, least, held)
	}
	close(goOn)
	testkit.Receive(t, done, "the end")
	tl.seal()
	if len(logged) != tokens+1 {
		t.Fatalf("the log has %d events, want %d", len(logged), tokens+1)
	}
	for i, ev := range logged {
		if ev.ID != uint64(i+1) {
			t.Fatalf("event %d has id %d", i+1, ev.ID)
		}
	}
}
