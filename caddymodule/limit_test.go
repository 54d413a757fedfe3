package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func newLimits(t *testing.T) *limitTable {
	t.Helper()
	table, err := newLimitTable(8)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestARateIsSpentAndComesBack(t *testing.T) {
	table, now := newLimits(t), time.Unix(1_000_000, 0)
	rule := limitRule{requests: 2, window: time.Minute, burst: 2}
	ci, other := limitKey{"edge", "ci"}, limitKey{"edge", "other"}
	if got := table.left(ci, rule, now); got != 2 {
		t.Errorf("%d are left before the first request, want 2", got)
	}
	for range 2 {
		if _, reached, _ := table.begin(ci, rule, now); reached != "" {
			t.Fatalf("within the burst: reached %q", reached)
		}
	}
	if _, reached, retry := table.begin(ci, rule, now); reached != limitRate || retry != 30*time.Second {
		t.Errorf("beyond it: got %q, retry in %v, want rate, 30s", reached, retry)
	}
	if _, reached, _ := table.begin(other, rule, now); reached != "" {
		t.Errorf("another identity: reached %q", reached)
	}
	if _, reached, _ := table.begin(ci, rule, now.Add(30*time.Second)); reached != "" {
		t.Errorf("half a window later: reached %q", reached)
	}
}

func TestRequestsInProgressAreCountedUntilTheyEnd(t *testing.T) {
	table, now := newLimits(t), time.Unix(1_000_000, 0)
	rule, ci := limitRule{inflight: 2}, limitKey{"edge", "ci"}
	first, _, _ := table.begin(ci, rule, now)
	second, _, _ := table.begin(ci, rule, now)
	if _, reached, _ := table.begin(ci, rule, now); reached != limitInflight {
		t.Errorf("a third: got %q, want inflight", reached)
	}
	first()
	if end, reached, _ := table.begin(ci, rule, now); reached != "" {
		t.Errorf("after one ended: reached %q", reached)
	} else {
		end()
	}
	second()
	if len(table.inflight) != 0 {
		t.Errorf("nothing is in progress, but %v is remembered", table.inflight)
	}
}

func TestLimitsAtTheGate(t *testing.T) {
	release := make(chan struct{})
	s := rawUpstream(t, (&held{release}).ServeHTTP)
	globals := twoTokens
	site := "\tauthmin limited {\n\t\tpublic /open\n\t\trequire infer /v1/*\n\t\tlimit 3 1h\n\t\tinflight 1\n\t}\n\treverse_proxy " + s + "\n"
	g := serve(t, false, globals, site)
	ask := func(path string, fields ...string) int {
		answer, _ := g.ask(t, plainClient(), "GET", path, fields...)
		return answer.StatusCode
	}
	before := testutil.ToFloat64(shared.limited.WithLabelValues("limited", limitInflight))
	done := make(chan int)
	go func() { done <- ask("/v1/hold", asUser) }()
	testkit.Eventually(t, "the first request to be under way", func() bool { return liveRequests(t) == 1 })
	if got := ask("/v1/x", asUser); got != 429 {
		t.Errorf("a second request at once: got %d, want 429", got)
	}
	if got := ask("/v1/x", asBoss); got != 200 {
		t.Errorf("another identity: got %d, want 200", got)
	}
	close(release)
	if got := <-done; got != 200 {
		t.Errorf("the first request: got %d, want 200", got)
	}
	if grown := testutil.ToFloat64(shared.limited.WithLabelValues("limited", limitInflight)) - before; grown != 1 {
		t.Errorf("limited_total grew by %v, want 1", grown)
	}
	codes := fmt.Sprint(ask("/v1/x", asUser), ask("/v1/x", asUser), ask("/v1/x", asUser))
	if codes != "200 200 429" {
		t.Errorf("three more of an hour's three, one spent: got %s, want 200 200 429", codes)
	}
	if got := ask("/open", asUser); got != 200 {
		t.Errorf("a public route beyond the limit: got %d, want 200", got)
	}
}

// TestARequestThatEndsByAPanicIsNotInProgress: the proxy ends an answer that its upstream
// breaks off by a panic.
func TestARequestThatEndsByAPanicIsNotInProgress(t *testing.T) {
	up := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/broken" {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("some"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	g := serve(t, false, twoTokens, "\tauthmin panics {\n\t\trequire infer /v1/*\n\t\tinflight 1\n\t}\n\treverse_proxy "+up+"\n")
	for range 3 {
		r, err := http.NewRequest("GET", g.base+"/v1/broken", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		answer, err := plainClient().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Error("the broken answer was whole")
		}
		answer.Body.Close()
		if got := statusOf(t, g, "/v1/x", asUser); got != 200 {
			t.Errorf("after it: got %d, want 200; the request still counts as in progress", got)
		}
	}
}

// held answers /v1/hold when it is released, and everything else at once.
type held struct{ release <-chan struct{} }

func (h *held) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/hold" {
		<-h.release
	}
}

// Guards without a name have one label, and limits of their own.
func TestGuardsOfOneNameDoNotShareLimits(t *testing.T) {
	g := serve(t, false, twoTokens, `
	handle /v1/few/* {
		authmin {
			require infer /v1/*
			limit 1 1h
		}
		respond ok
	}
	handle {
		authmin {
			require infer /v1/*
			limit 100 1h
		}
		respond ok
	}
`)
	for _, c := range []struct {
		path string
		want int
	}{{"/v1/few/x", 200}, {"/v1/few/x", 429}, {"/v1/x", 200}, {"/v1/few/x", 429}, {"/v1/x", 200}} {
		if got := statusOf(t, g, c.path, asUser); got != c.want {
			t.Errorf("%s: %d, want %d", c.path, got, c.want)
		}
	}
}
