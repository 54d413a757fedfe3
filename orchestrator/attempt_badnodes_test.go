package orchestrator_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Nodes that are slow, dead or untruthful, beside one that is well. What a task
// may lose to them is time, and never more than its deadline.

// silent accepts connections and never says a word.
func silent(t *testing.T) *pool {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	return &pool{id: "p", Server: &httptest.Server{URL: "http://" + l.Addr().String()}}
}

// paced calls f every interval until the caller is gone.
func paced(out *sink, interval time.Duration, f func(i int)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-out.gone:
			return
		case <-ticker.C:
			f(i)
		}
	}
}

// reset ends the connection as a crashed machine does: with RST, not FIN.
func reset(out *sink) {
	conn, _, err := http.NewResponseController(out.w).Hijack()
	if err == nil {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

func TestANodeThatAcceptsAndNeverAnswersCostsATaskItsDeadlineOnly(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", silent(t), 1)
	events := s.follow(s.submit(`,"deadline_ms":400`), "").rest()
	if last := events[len(events)-1]; last.Type != "error" || !strings.Contains(last.Data, "DEADLINE_EXCEEDED") {
		t.Errorf("got %v", events)
	}
	testkit.Eventually(t, "its slot is free", func() bool {
		return s.want(200, "root", "admin", "GET", "/v2/pools/p/health", nil)["slots_free"] == 1.0
	})
}

// TestATaskLeavesANodeThatFallsSilent has a node that answers neither the
// dispatch nor calls again; another one is there.
func TestATaskLeavesANodeThatFallsSilent(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{NodeTimeout: time.Second}})
	good := newPool(t, echo(2))
	s.join("a", silent(t), 4)
	id := s.submit("")
	testkit.Eventually(t, "it runs on the silent node", func() bool { return s.state(id) == "running" })
	s.join("b", good, 4)
	testkit.Eventually(t, "it has run elsewhere", func() bool {
		s.want(200, "b", "nodes", "POST", "/v2/nodes/b/heartbeat", beat(good, time.Now()))
		return s.state(id) == "completed"
	})
	if got := types(s.follow(id, "").rest()); got != "started token end" || len(good.calls) != 1 {
		t.Errorf("got %q and %d calls of the good node", got, len(good.calls))
	}
}

func TestAStreamThatTricklesEndsAtItsLimit(t *testing.T) {
	for name, dispatch := range map[string]func(*sink, nodeapi.DispatchRequest){
		"a token at a time": func(out *sink, _ nodeapi.DispatchRequest) {
			paced(out, 20*time.Millisecond, func(i int) { out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: "x", Index: i}) })
		},
		"a byte at a time, never a line": func(out *sink, _ nodeapi.DispatchRequest) {
			out.tokens(1)
			paced(out, time.Millisecond, func(int) {
				_, _ = io.WriteString(out.w, "d")
				_ = http.NewResponseController(out.w).Flush()
			})
		},
		"comments without end": func(out *sink, _ nodeapi.DispatchRequest) {
			out.tokens(1)
			paced(out, time.Millisecond, func(int) {
				_, _ = io.WriteString(out.w, ": waiting\n\n")
				_ = http.NewResponseController(out.w).Flush()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, app.Options{})
			s.join("n1", newPool(t, dispatch), 1)
			events := s.follow(s.submit(`,"stream_limit_ms":500`), "").rest()
			if types(events) != "started token error" || !strings.Contains(events[len(events)-1].Data, "STREAM_LIMIT_EXCEEDED") {
				t.Errorf("got %q, the last is %v", types(events), events[len(events)-1])
			}
		})
	}
}

func TestAResetBeforeTheFirstTokenRunsElsewhere(t *testing.T) {
	s := start(t, app.Options{})
	good := newPool(t, echo(2))
	s.join("a", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { reset(out) }), 4)
	s.join("b", good, 4)
	if got := types(s.follow(s.submit(""), "").rest()); got != "started token end" || len(good.calls) != 1 {
		t.Errorf("got %q and %d calls of the good node", got, len(good.calls))
	}
}

func TestAResetInTheMiddleEndsTheTask(t *testing.T) {
	s := start(t, app.Options{})
	good := newPool(t, echo(2))
	s.join("a", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(3); reset(out) }), 4)
	s.join("b", good, 4)
	events := s.follow(s.submit(""), "").rest()
	if types(events) != "started token error" || !strings.Contains(events[len(events)-1].Data, "WORKER_RESET") || len(good.calls) != 0 {
		t.Errorf("got %v and %d calls of the good node", events, len(good.calls))
	}
}

// TestANodeThatLiesAboutItsSlotsDelaysTasksOnly claims many slots and has one.
func TestANodeThatLiesAboutItsSlotsDelaysTasksOnly(t *testing.T) {
	s := start(t, app.Options{})
	slot := make(chan struct{}, 1)
	var refused atomic.Int64
	s.join("liar", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
			out.tokens(1)
			paced(&sink{gone: expired(20 * time.Millisecond)}, time.Millisecond, func(int) {})
			out.end(1)
		default:
			refused.Add(1)
			out.w.Header().Set("Retry-After", "0")
			out.w.WriteHeader(http.StatusTooManyRequests)
		}
	}), 64)
	var ids []string
	for range 6 {
		ids = append(ids, s.submit(""))
	}
	for _, id := range ids {
		if got := types(s.follow(id, "").rest()); got != "started token end" {
			t.Errorf("%s: got %q", id, got)
		}
	}
	if refused.Load() == 0 {
		t.Error("nothing was refused: the node did not lie")
	}
}

// expired closes after a while.
func expired(after time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(after, func() { close(c) })
	return c
}

// TestOneGoodNodeAmongBadOnesDoesTheWork gives many tasks to a fleet of which
// only one node is well. Every task ends, in time, and each that completes has
// all of its tokens.
func TestOneGoodNodeAmongBadOnesDoesTheWork(t *testing.T) {
	s := start(t, app.Options{})
	var turn atomic.Int64
	for name, dispatch := range map[string]func(*sink, nodeapi.DispatchRequest){
		"dies":    func(out *sink, _ nodeapi.DispatchRequest) { out.die() },
		"resets":  func(out *sink, _ nodeapi.DispatchRequest) { reset(out) },
		"fails":   func(out *sink, _ nodeapi.DispatchRequest) { out.w.WriteHeader(500) },
		"babbles": func(out *sink, _ nodeapi.DispatchRequest) { _, _ = io.WriteString(out.w, "data: {}\n\nevent: end\n") },
		"redirects": func(out *sink, _ nodeapi.DispatchRequest) {
			out.w.Header().Set("Location", "http://127.0.0.1:9/")
			out.w.WriteHeader(307)
		},
		"halves": func(out *sink, _ nodeapi.DispatchRequest) {
			if turn.Add(1)%2 == 0 {
				out.die()
			}
			out.tokens(1)
			reset(out)
		},
		"good": func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(4); out.end(4) },
	} {
		s.join(name, newPool(t, dispatch), 2)
	}
	var ids []string
	for range 30 {
		ids = append(ids, s.submit(`,"deadline_ms":20000`))
	}
	ended := map[string]int{}
	for _, id := range ids {
		s.follow(id, "").rest()
		task := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
		state := fmt.Sprint(task["state"])
		if state == "failed" {
			state = fmt.Sprint(task["error"].(map[string]any)["code"])
		}
		if state == "completed" && (task["tokens_out"] != 4.0 || task["node_id"] != "good") {
			t.Errorf("%s completed with %v tokens on %v", id, task["tokens_out"], task["node_id"])
		}
		ended[state]++
	}
	// After a token a task may not run again: those that "halves" had are reset.
	if ended["completed"] < 20 || ended["completed"]+ended["WORKER_RESET"] != len(ids) {
		t.Errorf("ended as %v", ended)
	}
}
