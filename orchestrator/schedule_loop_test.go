package orchestrator

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestTheSchedulerTicksOftenOnlyForTasks: without tasks the loop looks for deadlines once a
// second, and five times while a task waits. Calls of wake in between delay no tick.
func TestTheSchedulerTicksOftenOnlyForTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun, ticks := time.Now(), []time.Duration(nil)
		o := &Orchestrator{store: new(store.Store), queue: newQueue(1), lifecycle: newLifecycle(ctx, 0)}
		o.now = func() time.Time { // each tick asks for the time
			if since := time.Since(begun); !slices.Contains(ticks, since) {
				ticks = append(ticks, since)
			}
			return time.Now()
		}
		s := newScheduler(o, "")
		o.lifecycle.cancel(nil)  // it places no task
		s.recovering.Store(true) // it looks for neither orphans nor ended tasks: the store has no server
		s.sweeping.Store(true)
		ended := make(chan struct{})
		go func() { defer close(ended); s.loop(ctx, ctx, nil) }()
		expect := func(what string, want ...time.Duration) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(ticks, want) {
				t.Errorf("%s: ticks at %v, want %v", what, ticks, want)
			}
			ticks = nil
		}

		<-time.After(2 * time.Second)
		expect("without a task", 0, time.Second, 2*time.Second)
		o.queue.restore(waiting{id: "a", class: Interactive}, false)
		for range 9 {
			s.wake()
			<-time.After(tick / 2)
		}
		expect("with a task that waits", 2200*time.Millisecond, 2400*time.Millisecond, 2600*time.Millisecond, 2800*time.Millisecond)
		o.queue.remove("a")
		s.wake()
		<-time.After(2 * time.Second)
		expect("after its end", 3900*time.Millisecond, 4900*time.Millisecond)
		cancel()
		<-ended
	})
}
