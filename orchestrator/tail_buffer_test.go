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
			tl.mu.Lock()
			bytes, kept := tl.bytes, len(tl.events)
			tl.mu.Unlock()
			if limit := 2*(maxPendingBytes+size) + size; kept > 1 && bytes > max(tailBytes, limit) {
				t.Fatalf("%d bytes in %d events, want at most %d", bytes, kept, limit)
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

// TestWhatTheLogHasNotTakenStaysInMemory has a write begin just before the task would have
// waited for it, and end when the task waits for the next one: as much as possible is
// in neither the log nor what is pending.
func TestWhatTheLogHasNotTakenStaysInMemory(t *testing.T) {
	const size = 1000
	begun, full := make(chan struct{}, 1), make(chan struct{})
	tl := newTail(0, func([]byte) {
		select {
		case begun <- struct{}{}:
			<-full
		default:
		}
	})
	tl.timer, tl.armed, tl.hurried = time.AfterFunc(time.Hour, tl.flush), true, true
	text := encodeToken(strings.Repeat("x", size), 0)
	for tl.pendingBytes+len(text) < maxPendingBytes {
		tl.add(EventToken, text)
	}
	var ended sync.WaitGroup
	ended.Go(tl.flush)
	<-begun
	ended.Go(func() {
		for range maxPendingBytes/size + 1 {
			tl.add(EventToken, text)
		}
	})
	testkit.Eventually(t, "the task waits", func() bool {
		tl.mu.Lock()
		defer tl.mu.Unlock()
		return tl.pendingBytes >= maxPendingBytes
	})
	if _, _, ok := tl.since(1); !ok {
		t.Error("event 1, which is being written, is not in memory")
	}
	close(full)
	ended.Wait()
	tl.flush()
	if tl.bytes > tailBytes {
		t.Errorf("%d bytes are in memory after the last write, want at most %d", tl.bytes, tailBytes)
	}
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
