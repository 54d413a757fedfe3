package cluster_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// checkEvery is how often the balancer asks for readiness.
const checkEvery = 100 * time.Millisecond

// balancer sends requests to replicas whose GET /ready is 200, in turn, and to no other.
type balancer struct {
	ready []atomic.Bool // by replica
	turn  atomic.Uint64
}

// newBalancer is before all replicas, running or not. It is returned as what clients and
// nodes take for the only replica.
func newBalancer(t *testing.T, c *cluster) *replica {
	t.Helper()
	b := &balancer{ready: make([]atomic.Bool, len(c.replicas))}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Context().Value(b).(string)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range b.ready {
			i := int(b.turn.Add(1) % uint64(len(b.ready)))
			if b.ready[i].Load() {
				proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), b, c.replicas[i].http)))
				return
			}
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	ctx, cancel := context.WithCancel(context.Background())
	var checks sync.WaitGroup
	for i, r := range c.replicas {
		checks.Go(func() { b.check(ctx, i, "http://"+r.http+"/ready") })
	}
	t.Cleanup(func() {
		cancel()
		checks.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	return &replica{c: c, name: "balancer", http: server.Listener.Addr().String()}
}

// check follows the readiness of one replica until ctx ends.
func (b *balancer) check(ctx context.Context, i int, url string) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		ready := false
		if r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil); err == nil {
			if answer, err := http.DefaultClient.Do(r); err == nil {
				ready = answer.StatusCode == http.StatusOK
				answer.Body.Close()
			}
		}
		b.ready[i].Store(ready)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// TestReadinessDoesNotWaitForNodes starts three replicas behind a balancer that honors
// their readiness, with a node and clients that know the balancer alone: first from
// nothing, then after all replicas were stopped together.
func TestReadinessDoesNotWaitForNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	front := newBalancer(t, c)
	n := (&node{c: c, slots: 4, via: []*replica{front}}).join(t)
	if status, _, err := c.try(front, "ci", "infer", "GET", "/v2/tasks", ""); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("without a replica: got %d, %v, want 503", status, err)
	}
	var ids []string
	for _, when := range []string{"from nothing", "after a stop of all"} {
		begin := time.Now()
		for _, r := range c.replicas {
			r.start()
		}
		for _, r := range c.replicas {
			r.answers("/ready", `200 {"status":"ready"}`)
		}
		ready := time.Since(begin)
		id, err := c.admitted(front)
		if err != nil {
			t.Fatal(err)
		}
		n.runs(id, 1, testkit.Limit)
		t.Logf("%s: all are ready after %s, and a task runs after %s", when, ready, time.Since(begin))
		ids = append(ids, id)
		c.finish(front, ids, testkit.Limit)
		c.stopAll()
	}
}

// stopAll stops all replicas together, as when a site is shut down.
func (c *cluster) stopAll() {
	c.t.Helper()
	var all sync.WaitGroup
	for _, r := range c.replicas {
		all.Go(func() {
			if code := r.signal(syscall.SIGTERM); code != 0 {
				c.t.Errorf("%s ended with %d", r.name, code)
			}
		})
	}
	all.Wait()
}

// mayLose waits until the replica says whether another one may be lost.
func (c *cluster) mayLose(r *replica, want bool) {
	c.t.Helper()
	testkit.Within(c.t, testkit.Limit, fmt.Sprintf("%s says that another replica may be lost: %t", r.name, want), func() error {
		status, answer, err := c.try(r, "watch", "metrics", "GET", "/v2/meta/replica", "")
		if err == nil && (status != http.StatusOK || answer["safe_to_lose_another"] != want) {
			err = fmt.Errorf("got %d %v", status, answer)
		}
		return err
	})
}
