package orchestrator_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAFullDiskRefusesNewThingsAndKeepsTheOldOnesGoing turns the disk full while
// a task runs, and empty again.
func TestAFullDiskRefusesNewThingsAndKeepsTheOldOnesGoing(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	goOn := make(chan struct{})
	s := start(t, app.Options{Free: func(string) (uint64, error) { return free.Load(), nil }})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); out.await(goOn); out.end(1) }), 1)
	running, waiting := s.submit(""), s.submit("")
	free.Store(1 << 20)
	for path, c := range map[string]struct{ scope, body string }{
		"/v2/tasks":          {"infer", task("")},
		"/v1/completions":    {"infer", `{"model":"demo","prompt":"x"}`},
		"/v2/artifacts":      {"infer", `{"kind":"plan","content":1}`},
		"/v2/catalog/models": {"catalog", fmt.Sprintf(`{"id":"m","digest":%q,"source_url":"file:x"}`, digest("x"))},
	} {
		if got := s.want(503, "ci", c.scope, "POST", path, c.body); got["code"] != "STORE_FULL" {
			t.Errorf("%s: got %v", path, got)
		}
	}
	close(goOn)
	for _, id := range []string{running, waiting} {
		if got := types(s.follow(id, "").rest()); got != "started token end" {
			t.Errorf("a task from before: got %q", got)
		}
	}
	if text := s.metrics(); !strings.Contains(text, `tasks_rejected_total{engine="any",reason="disk_full"} 2`) {
		t.Error("the refusals are not counted")
	}
	free.Store(1 << 40)
	s.submit("")
}

func TestAFullDiskRefusesTheStart(t *testing.T) {
	service, err := app.Start(t.Context(), app.Options{
		Listen: "127.0.0.1:0", StateDir: t.TempDir(), Token: authmin.RandomSecret(),
		Free: func(string) (uint64, error) { return 1 << 20, nil },
	})
	if err == nil {
		service.Stop(t.Context())
	}
	if !errors.Is(err, store.ErrDiskFull) || !strings.Contains(err.Error(), "128 needed") {
		t.Errorf("got %v, want ErrDiskFull and how much is needed", err)
	}
}

// TestNoExpiredTaskOfManyReachesAnEngine has deadlines pass at every moment of
// a task's way while slots come free.
func TestNoExpiredTaskOfManyReachesAnEngine(t *testing.T) {
	s := start(t, app.Options{})
	p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		timer := time.NewTimer(5 * time.Millisecond)
		defer timer.Stop()
		<-timer.C
		out.tokens(1)
		out.end(1)
	})
	s.join("n1", p, 2)
	var ids []string
	for i := range 150 {
		ids = append(ids, s.submit(fmt.Sprintf(`,"deadline_ms":%d`, 1+4*(i%60))))
	}
	ended, expired := 0, 0
	tried := map[string]bool{}
	for _, id := range ids {
		s.follow(id, "").rest()
	}
	for len(p.calls) > 0 {
		d := testkit.Receive(t, p.calls, "a call of the pool")
		tried[d.TaskID] = true
		if d.DeadlineMS <= 0 {
			t.Errorf("%s was dispatched with %d ms left", d.TaskID, d.DeadlineMS)
		}
	}
	for _, id := range ids {
		record := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
		ended++
		if record["started_at"] == nil {
			expired++
			if tried[id] || record["error"].(map[string]any)["code"] != "DEADLINE_EXCEEDED" {
				t.Errorf("never started, but: called %v, %v", tried[id], record)
			}
		}
	}
	t.Logf("%d tasks, %d expired in the queue", ended, expired)
	if expired == 0 || expired == ended {
		t.Errorf("%d of %d expired: the test shows nothing", expired, ended)
	}
}
