package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// contender runs for a lease on one replica and says when it is held and lost.
type contender struct {
	events chan string
	stop   func()
}

func contend(t *testing.T, st *store.Store, name, note string, holders *sync.Mutex) *contender {
	t.Helper()
	c := &contender{events: make(chan string, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		lease := st.Lease("scheduler", func() []byte { return []byte(note) })
		defer func() {
			if lease.Held() {
				t.Errorf("%s holds the lease after its end", name)
			}
		}()
		_ = lease.Run(ctx, func(ctx context.Context, before []byte) {
			if !lease.Held() {
				t.Errorf("%s does not know that it holds the lease", name)
			}
			if !holders.TryLock() {
				t.Error("two replicas hold the lease")
				return
			}
			c.events <- name + ":" + string(before)
			<-ctx.Done()
			holders.Unlock()
			c.events <- name + "-lost"
		})
	}()
	c.stop = func() { cancel(); <-done }
	t.Cleanup(c.stop)
	return c
}

func TestALeaseGoesOnToTheNextReplica(t *testing.T) {
	t.Parallel()
	one := open(t, t.TempDir())
	views := make([]*store.Store, 2)
	cuts := make([]func(bool), 2)
	for i := range views {
		var err error
		if views[i], cuts[i], err = one.View(t.Context(), string(rune('a'+i))); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { views[i].Close() })
	}
	var holders sync.Mutex
	a := contend(t, views[0], "a", "from a", &holders)
	hear(t, a.events, "a:")
	b := contend(t, views[1], "b", "from b", &holders)

	begin := time.Now()
	a.stop()
	hear(t, a.events, "a-lost")
	hear(t, b.events, "b:from-a")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("taking over a released lease took %s", took)
	}
	a = contend(t, views[0], "a", "", &holders)
	begin = time.Now()
	cuts[1](true)
	hear(t, b.events, "b-lost")
	if took := time.Since(begin); took < 2*time.Second || took > 4500*time.Millisecond {
		t.Errorf("a holder that is cut off steps down after %s, want about 4 s", took)
	}
	hear(t, a.events, "a:")
	if took := time.Since(begin); took < 4*time.Second || took > 7*time.Second {
		t.Errorf("taking over from a holder that is cut off took %s, want about 5 s", took)
	}
	cuts[1](false)
	b.stop()
	if len(b.events) != 0 {
		t.Errorf("got %s from the former holder", <-b.events)
	}
}

// TestHeldSinceIsTrueAfterARenewal a time only when it was renewed after it.
func TestHeldSinceIsTrueAfterARenewal(t *testing.T) {
	t.Parallel()
	one := open(t, t.TempDir())
	if !one.Lease("scheduler", nil).HeldSince(time.Now()) {
		t.Error("a single server does not hold its lease")
	}
	view, _, err := one.View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lease := view.Lease("scheduler", nil)
	before := time.Now()
	if lease.HeldSince(before) {
		t.Error("it was never taken")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = lease.Run(ctx, func(ctx context.Context, _ []byte) {
			defer cancel()
			if !lease.HeldSince(before) {
				t.Error("it was taken after that")
			}
			now := time.Now()
			if lease.HeldSince(now) {
				t.Error("it has not been renewed since")
			}
			for !lease.HeldSince(now) && time.Since(now) < 10*time.Second {
				<-time.After(10 * time.Millisecond)
			}
			if took := time.Since(now); took > 3*time.Second {
				t.Errorf("it was renewed after %s, want after a second", took)
			}
		})
	}()
	testkit.Receive(t, done, "the end")
	if lease.HeldSince(before) {
		t.Error("it was released")
	}
}
