package store_test

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// lossyWay leads to a server that can be kept from hearing anything for a while, as
// when the leader of its streams is frozen: connections stay, and nothing is
// answered.
type lossyWay struct {
	to   *store.Store
	deaf atomic.Bool
}

func (w *lossyWay) InProcessConn() (net.Conn, error) {
	conn, err := w.to.InProcessConn()
	return lossyConn{conn, w}, err
}

type lossyConn struct {
	net.Conn
	way *lossyWay
}

func (c lossyConn) Write(p []byte) (int, error) {
	if c.way.deaf.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// candidate competes for the lease until the test ends.
type candidate struct {
	way   *lossyWay
	lease *store.Lease
	began chan struct{} // each time it has become the holder
	lost  chan struct{}

	before chan string // the notes that it got
	stop   func()
}

func newCandidate(t *testing.T, to *store.Store, name string) *candidate {
	t.Helper()
	way := &lossyWay{to: to}
	view, err := to.ViewBy(t.Context(), name, way)
	if err != nil {
		t.Fatal(err)
	}
	c := compete(t, view, "")
	c.way = way
	return c
}

func within(t *testing.T, what string, limit time.Duration, happens <-chan struct{}) {
	t.Helper()
	select {
	case <-happens:
	case <-time.After(limit):
		t.Fatalf("%s: not within %s", what, limit)
	}
}

// holderAndOther gives a store, a candidate that has held its lease for a second, and
// one that waits for it.
func holderAndOther(t *testing.T) (st *store.Store, holder, other *candidate) {
	t.Helper()
	st = open(t, t.TempDir())
	holder = newCandidate(t, st, "a")
	within(t, "taking the lease", 5*time.Second, holder.began)
	other = newCandidate(t, st, "b")
	<-time.After(time.Second)
	return st, holder, other
}

// TestALeaseOutlivesAnElection takes the lease's stream away for longer than a
// renewal is good for: the holder may do nothing meanwhile, and is the holder again
// afterwards, though the other one hears sooner that the stream is back.
func TestALeaseOutlivesAnElection(t *testing.T) {
	t.Parallel()
	st, holder, other := holderAndOther(t)
	holder.way.deaf.Store(true)
	other.way.deaf.Store(true)
	<-time.After(6 * time.Second)
	if holder.lease.Held() {
		t.Error("the lease counts as held, though it was not renewed for 6 s")
	}
	other.way.deaf.Store(false)
	for asked := st.Bucket(store.Leases); ; {
		if _, err := asked.Get(t.Context(), store.Asked); err == nil {
			break
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		select {
		case <-other.began:
			t.Fatal("the other one took the lease without asking first")
		case <-time.After(time.Millisecond):
		}
	}
	holder.way.deaf.Store(false)
	<-time.After(3 * time.Second)
	if !holder.lease.Held() || len(holder.lost) > 0 || len(other.began) > 0 {
		t.Fatalf("after the election: held by the holder: %t, which lost it %d times; taken by the other %d times",
			holder.lease.Held(), len(holder.lost), len(other.began))
	}
}

// TestASilentHolderGivesUp has the other one take the lease meanwhile, of which the
// holder hears nothing.
func TestASilentHolderGivesUp(t *testing.T) {
	t.Parallel()
	_, holder, other := holderAndOther(t)
	holder.way.deaf.Store(true)
	within(t, "taking it from a holder that is silent", 9*time.Second, other.began)
	if holder.lease.Held() {
		t.Error("two hold the lease")
	}
	within(t, "giving up hope", 15*time.Second, holder.lost)
}
