package orchestrator

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestExpectedTokensPredictTheEnd(t *testing.T) {
	pool := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(pool.Close)
	o := newWith(t, Config{Store: openStore(t)})
	_, err := o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: pool.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}}, // not ready: tasks wait
	})
	if err != nil {
		t.Fatal(err)
	}
	end := func(expected, most int) int64 {
		t.Helper()
		a, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "x", ExpectedTokens: expected, MaxTokens: most}, "")
		if err != nil {
			t.Fatal(err)
		}
		return a.PredictedEndMS
	}
	if got := end(100, 200); got != 0 {
		t.Errorf("before an answer has ended: got %d ms, want no prediction", got)
	}
	o.scheduler.pace.decoded(101, time.Second) // 10 ms a token
	o.scheduler.pace.decoded(1, time.Hour)     // has no speed
	for _, c := range []struct {
		expected, most int
		want           int64
	}{{0, 200, 0}, {50, 200, 500}, {1000, 200, 2000}} {
		if got := end(c.expected, c.most); got != c.want {
			t.Errorf("%d tokens expected of at most %d: got %d ms, want %d", c.expected, c.most, got, c.want)
		}
	}
	o.scheduler.pace.decoded(101, 2*time.Second)
	if got := end(100, 200); got <= 1000 || got >= 2000 {
		t.Errorf("after a slower answer: got %d ms, want between the two speeds", got)
	}
}
