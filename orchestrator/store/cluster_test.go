package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// replicas is a cluster in this process, over TLS on loopback.
type replicas struct {
	t         *testing.T
	authority *testkit.Authority
	options   []store.Options
	stores    []*store.Store
}

func newReplicas(t *testing.T, n int) *replicas {
	t.Helper()
	a := testkit.NewAuthority(t)
	r := &replicas{t: t, authority: a, stores: make([]*store.Store, n)}
	var peers []string
	for range n {
		peers = append(peers, testkit.FreeAddress(t))
	}
	for i, listen := range peers {
		name := fmt.Sprint("replica", i+1)
		cert, key := a.Issue(name, []string{"127.0.0.1"})
		r.options = append(r.options, store.Options{Dir: t.TempDir(), Cluster: &store.Cluster{
			Name: "test", Replica: name, Listen: listen, Peers: peers, CertFile: cert, KeyFile: key, CAFile: a.File,
		}})
	}
	t.Cleanup(r.close)
	return r
}

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// open starts the given replicas together: alone they would wait.
func (r *replicas) open(which ...int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for _, i := range which {
		all.Go(func() {
			st, err := store.Open(ctx, r.options[i])
			if err != nil {
				r.t.Error(err)
				return
			}
			r.stores[i] = st
		})
	}
	all.Wait()
	if r.t.Failed() {
		r.t.FailNow()
	}
}

func (r *replicas) stop(i int) {
	if r.stores[i] != nil {
		r.stores[i].Close()
		r.stores[i] = nil
	}
}

// close stops all at once, without a replica to hand over to.
func (r *replicas) close() {
	var all sync.WaitGroup
	for i := range r.stores {
		all.Go(func() { r.stop(i) })
	}
	all.Wait()
}

// createAtOnce has all replicas create the same keys at the same time. A
// replica that gets ErrExists must find the key: it is a task, or an idempotency key.
func (r *replicas) createAtOnce(t *testing.T) {
	t.Helper()
	const keys, each = 30, 3
	var all sync.WaitGroup
	for i := range keys * each * len(r.stores) {
		b, key := r.stores[i%len(r.stores)].Bucket(store.Tasks), fmt.Sprint("contended", i/(each*len(r.stores)))
		all.Go(func() {
			_, err := b.Create(t.Context(), key, nil)
			if errors.Is(err, store.ErrExists) {
				_, err = b.Get(t.Context(), key)
			}
			if err != nil {
				t.Errorf("%s: %v, want it made or found", key, err)
			}
		})
	}
	all.Wait()
}

func TestACluster(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	t.Logf("three replicas are up after %s", time.Since(begin))
	ctx := t.Context()
	r.groups(0, 3, true)
	if err := r.stores[0].MakeLegacyNodes(ctx); err != nil { // an update leaves it behind
		t.Fatal(err)
	}
	r.leaders(3, true, 0, 1, 2)
	b := r.stores[0].Bucket(store.Tasks)
	begin = time.Now()
	const n = 200
	for i := range n {
		if _, err := b.Create(ctx, fmt.Sprint("key", i), []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d creates one after the other: %s each", n, time.Since(begin)/n)
	for i := range n { // whichever replica is asked, it knows what another has acknowledged
		if _, err := r.stores[i%3].Bucket(store.Tasks).Get(ctx, fmt.Sprint("key", i)); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.stores[1].Bucket(store.Tasks).Create(ctx, "key1", nil); !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	r.createAtOnce(t)
	told := watched(t, r.stores[2].Bucket(store.Sessions).Watch)
	hear(t, told, "begin all")
	if err := r.stores[0].Bucket(store.Sessions).Put(ctx, "s", []byte("1")); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "s=1(1)")

	begin = time.Now()
	r.stop(0)
	t.Logf("stopping took %s", time.Since(begin))
	r.groups(2, 2, false)
	r.leaders(2, false, 1, 2)
	begin = time.Now()
	if _, err := r.stores[1].Bucket(store.Tasks).Create(ctx, "afterstop", nil); err != nil {
		t.Errorf("after a clean stop: %v", err)
	}
	t.Logf("a write after it took %s", time.Since(begin))
	r.behind(0, 1, 2)
	if err := r.stores[1].Bucket(store.Sessions).Put(ctx, "s", []byte("2")); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	waitForEvent(t, told, "s=2(1)") // it may begin anew before
	t.Logf("the watch went on after %s", time.Since(begin))

	begin = time.Now()
	r.stop(1)
	t.Logf("stopping the second took %s", time.Since(begin))
	begin = time.Now()
	_, err := r.stores[2].Bucket(store.Tasks).Create(ctx, "alone", nil)
	if !errors.Is(err, store.ErrUnavailable) || time.Since(begin) > 5*time.Second {
		t.Errorf("one of three: got %v after %s, want ErrUnavailable within 5 s", err, time.Since(begin))
	}
	r.open(0)
	if _, err := r.stores[0].Bucket(store.Tasks).Create(ctx, "again", nil); err != nil {
		t.Errorf("two of three again: %v", err)
	}
}
