package store_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// slowWay leads to a server that is answered for late, or not at all, as by a disk
// that takes its time: what is asked for is done all the same.
type slowWay struct {
	to   *store.Store
	late atomic.Int64 // how much
	mute atomic.Bool  // what is answered meanwhile is lost
}

func (w *slowWay) InProcessConn() (net.Conn, error) {
	conn, err := w.to.InProcessConn()
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	answers := make(chan answer, 1<<16)
	go func() { // ends with the server's end
		defer close(answers)
		for buf := make([]byte, 1<<16); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if !w.mute.Load() {
				answers <- answer{time.Now().Add(time.Duration(w.late.Load())), append([]byte(nil), buf[:n]...)}
			}
		}
	}()
	go func() {
		defer far.Close()
		for a := range answers {
			<-time.After(time.Until(a.at))
			if _, err := far.Write(a.text); err != nil {
				return
			}
		}
	}()
	return slowConn{near, conn}, nil
}

type answer struct {
	at   time.Time
	text []byte
}

// slowConn reads late and writes at once.
type slowConn struct {
	net.Conn
	to net.Conn
}

func (c slowConn) Write(p []byte) (int, error) { return c.to.Write(p) }
func (c slowConn) Close() error                { c.to.Close(); return c.Conn.Close() }

// compete starts a candidate for the lease on view.
func compete(t *testing.T, view *store.Store, note string) *candidate {
	t.Helper()
	c := &candidate{began: make(chan struct{}, 10), lost: make(chan struct{}, 10), before: make(chan string, 10)}
	ctx, cancel := context.WithCancel(t.Context())
	c.lease = view.Lease("scheduler", func() []byte { return []byte(note) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.lease.Run(ctx, func(ctx context.Context, before []byte) {
			c.before <- string(before)
			c.began <- struct{}{}
			<-ctx.Done()
			c.lost <- struct{}{}
		})
	}()
	c.stop = func() { cancel(); <-done }
	t.Cleanup(func() { c.stop(); view.Close() })
	return c
}

func (w *slowWay) view(t *testing.T, name string) *store.Store {
	t.Helper()
	view, err := w.to.ViewBy(t.Context(), name, w)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// TestALeaseIsKeptOnASlowDisk has each answer come later than an attempt to renew
// the lease waits for.
func TestALeaseIsKeptOnASlowDisk(t *testing.T) {
	t.Parallel()
	way := &slowWay{to: open(t, t.TempDir())}
	holder := compete(t, way.view(t, "a"), "")
	within(t, "taking the lease", 5*time.Second, holder.began)
	way.late.Store(int64(1300 * time.Millisecond))
	held := 0
	const looks = 150
	for range looks {
		<-time.After(100 * time.Millisecond)
		if holder.lease.Held() {
			held++
		}
	}
	if len(holder.lost) > 0 || held < looks*9/10 {
		t.Errorf("it was lost %d times and held in %d of %d looks", len(holder.lost), held, looks)
	}
}

// TestALeaseWhoseAcquisitionWasNotAcknowledged loses the acknowledgement of the write that takes
// the lease: the new holder does not wait for its own claim to expire, and still gets
// the note of the previous holder.
func TestALeaseWhoseAcquisitionWasNotAcknowledged(t *testing.T) {
	t.Parallel()
	st := open(t, t.TempDir())
	one, _, err := st.View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	holder := compete(t, one, "note of a")
	within(t, "taking the lease", 5*time.Second, holder.began)
	way := &slowWay{to: st}
	other := compete(t, way.view(t, "b"), "")
	<-time.After(500 * time.Millisecond) // it has seen who holds the lease
	way.late.Store(int64(500 * time.Millisecond))
	go holder.stop()
	within(t, "giving up", time.Second, holder.lost)
	<-time.After(200 * time.Millisecond) // that is on its way to it; what it asks then is not answered
	way.mute.Store(true)
	<-time.After(time.Second)
	way.mute.Store(false)
	begin := time.Now()
	within(t, "taking it again", 20*time.Second, other.began)
	if took := time.Since(begin); took > 7*time.Second { // 4 s for the request, and two questions
		t.Errorf("taking it again took %s, want no more than a request may take", took)
	}
	if before := testkit.Receive(t, other.before, "what was noted before"); before != "note of a" {
		t.Errorf("got the note %q", before)
	}
}

// TestALeaseIsGivenBackAfterAnElection stops its holder while the store does not
// answer: the next holder gets its note all the same.
func TestALeaseIsGivenBackAfterAnElection(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]time.Duration{"at once": 0, "in doubt": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := open(t, t.TempDir())
			way := &lossyWay{to: st}
			view, err := st.ViewBy(t.Context(), "a", way)
			if err != nil {
				t.Fatal(err)
			}
			holder := compete(t, view, "note of a")
			within(t, "taking the lease", 5*time.Second, holder.began)
			others := &lossyWay{to: st}
			view, err = st.ViewBy(t.Context(), "b", others)
			if err != nil {
				t.Fatal(err)
			}
			other := compete(t, view, "")
			<-time.After(1100 * time.Millisecond)
			way.deaf.Store(true)
			others.deaf.Store(true)
			<-time.After(until)
			stopped := make(chan struct{})
			go func() { defer close(stopped); holder.stop() }()
			<-time.After(3 * time.Second)
			way.deaf.Store(false)
			others.deaf.Store(false)
			within(t, "stopping", 3*time.Second, stopped)
			within(t, "taking it", 8*time.Second, other.began)
			if before := testkit.Receive(t, other.before, "what was noted before"); before != "note of a" {
				t.Errorf("got the note %q", before)
			}
		})
	}
}
