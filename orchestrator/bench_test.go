package orchestrator

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// BenchmarkAdmission takes tasks from 32 callers while more and more wait, and
// beside it writes the same records without us.
//
//	go test -run='^$' -bench=Admission -benchtime=3s ./orchestrator
func BenchmarkAdmission(b *testing.B) {
	b.Run("bucket", func(b *testing.B) {
		tasks := benchStore(b).Bucket(store.Tasks)
		value := make([]byte, 700)
		var n atomic.Int64
		callers(b, func() error {
			_, err := tasks.Create(b.Context(), fmt.Sprint("k", n.Add(1)), value)
			return err
		})
	})
	b.Run("submit", func(b *testing.B) {
		o := benchOrchestrator(b, benchStore(b))
		callers(b, func() error {
			_, err := o.Submit(b.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "hello"}, "")
			return err
		})
		b.ReportMetric(float64(o.queue.depth(Interactive)), "waiting")
	})
}

func callers(b *testing.B, f func() error) {
	b.ResetTimer()
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	for range 32 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

func benchStore(b *testing.B) *store.Store {
	st, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	return st
}

func benchOrchestrator(b *testing.B, st *store.Store) *Orchestrator {
	o, err := New(b.Context(), Config{Store: st, Settings: Settings{Capacity: 1 << 20}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { o.Stop(b.Context()) })
	_, err = o.RegisterNode(b.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: "http://127.0.0.1:1", DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// BenchmarkPass is one look at a queue in which nothing can start, and a start
// from it.
func BenchmarkPass(b *testing.B) {
	for _, waits := range []int{100, 10_000} {
		q := newQueue(waits)
		for i := range waits {
			q.restore(waiting{id: fmt.Sprint(i), owner: fmt.Sprint(i % 10), class: Interactive, key: fmt.Sprint(i % 4)}, false)
		}
		b.Run(fmt.Sprint("blocked/", waits), func(b *testing.B) {
			blocked := map[string]bool{"0": true, "1": true, "2": true, "3": true}
			for b.Loop() {
				q.next(time.Time{}, blocked)
			}
		})
		b.Run(fmt.Sprint("start/", waits), func(b *testing.B) {
			blocked := map[string]bool{"0": true, "1": true, "2": true}
			for b.Loop() {
				w, _ := q.next(time.Time{}, blocked)
				q.take(w.id)
				q.restore(w, false)
			}
		})
	}
}

// BenchmarkToken is what one token costs between the pool's event and the tail.
func BenchmarkToken(b *testing.B) {
	t := newTail(0, func([]byte) {})
	b.ReportAllocs()
	for i := range b.N {
		t.add(EventToken, encodeToken(" token", i))
	}
}

// TestAPassDoesNotLookAtWhatIsBlocked compares times roughly: with
// a thousand times as many waiting, a look takes about as long.
func TestAPassDoesNotLookAtWhatIsBlocked(t *testing.T) {
	pass := func(waits int) float64 {
		q := newQueue(waits)
		for i := range waits {
			q.restore(waiting{id: fmt.Sprint(i), owner: fmt.Sprint(i % 7), class: Batch, key: "busy"}, false)
		}
		q.restore(waiting{id: "free", owner: "0", class: Batch, key: "free"}, false)
		blocked := map[string]bool{"busy": true}
		best := time.Hour
		for range 50 {
			begin := time.Now()
			for range 100 {
				if w, ok := q.next(time.Time{}, blocked); !ok || w.id != "free" {
					t.Fatalf("got %q", w.id)
				}
			}
			best = min(best, time.Since(begin))
		}
		return float64(best)
	}
	few, many := pass(50), pass(50_000)
	if many > 20*few {
		t.Errorf("a pass over 1,000 times as many waiting tasks takes %.0f times as long", many/few)
	}
}
