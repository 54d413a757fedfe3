package orchestrator_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestATaskStreamsItsLife(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(5)), 1)
	id := s.submit("")
	events := s.follow(id, "").rest()
	if got, want := types(events), "started token end"; got != want || len(events) != 7 {
		t.Fatalf("got %d events %q, want 7 of %q", len(events), got, want)
	}
	for i, ev := range events {
		if ev.ID != strconv.Itoa(i+1) {
			t.Errorf("event %d has id %s", i+1, ev.ID)
		}
	}
	if got, want := events[6].Data, `{"tokens_in":1,"tokens_out":5,"decode_ms":1,"finish_reason":"stop"}`; got != want {
		t.Errorf("end: got %s, want %s", got, want)
	}
	record := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
	if record["state"] != "completed" || record["pool_id"] != "p" || record["owner"] != "ci" {
		t.Errorf("record: %v", record)
	}
}

func TestTokensArriveBeforeTheEngineIsDone(t *testing.T) {
	goOn := make(chan struct{})
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(1)
		out.await(goOn)
		out.end(1)
	}), 1)
	st := s.follow(s.submit(""), "")
	for _, want := range []string{"started", "token"} {
		if ev, _ := st.next(); ev.Type != want {
			t.Fatalf("got %v, want %s", ev, want)
		}
	}
	close(goOn)
	if ev, _ := st.next(); ev.Type != "end" {
		t.Errorf("got %v, want end", ev)
	}
}

func TestAnIdleStreamIsKeptAlive(t *testing.T) {
	s := start(t, app.Options{Streams: httpapi.Streams{Heartbeat: 10 * time.Millisecond}})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { <-out.gone }), 1)
	st := s.follow(s.submit(""), "")
	comments := 0
	for comments < 3 && st.lines.Scan() {
		if strings.HasPrefix(st.lines.Text(), ":") {
			comments++
		}
	}
	if comments < 3 {
		t.Error("the stream ended without comments")
	}
}

func TestResumingMissesNothingAndRepeatsNothing(t *testing.T) {
	const tokens = 3000 // more than the tail holds in memory
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(tokens)), 1)
	id := s.submit("")
	whole := s.follow(id, "").rest()
	if len(whole) != tokens+2 {
		t.Fatalf("got %d events, want %d", len(whole), tokens+2)
	}
	for _, after := range []int{1, 2, 1500, tokens + 1} {
		rest := s.follow(id, strconv.Itoa(after)).rest()
		if len(rest) != len(whole)-after || rest[0] != whole[after] {
			t.Errorf("after %d: got %d events beginning %v, want %d", after, len(rest), rest[0], len(whole)-after)
		}
	}
	if again := s.follow(id, strconv.Itoa(tokens+2)); again.StatusCode != 204 {
		t.Errorf("after the end: got %d, want 204", again.StatusCode)
	}
	if rest := s.follow(id, "999999").rest(); types(rest) != "end" && types(rest) != "gap end" {
		t.Errorf("after an id that never was: got %q", types(rest))
	}
}

func TestAReaderThatJoinsLateSeesEverything(t *testing.T) {
	const tokens = 2500
	half, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(tokens)
		close(half)
		out.await(goOn)
		out.end(tokens)
	}), 1)
	id := s.submit("")
	early := s.follow(id, "")
	testkit.Receive(t, half, "half of the answer")
	late := s.follow(id, "")
	for i := range tokens + 1 {
		for name, st := range map[string]*stream{"early": early, "late": late} {
			if ev, _ := st.next(); ev.ID != strconv.Itoa(i+1) {
				t.Fatalf("%s: got %v as event %d", name, ev, i+1)
			}
		}
	}
	close(goOn)
	for name, st := range map[string]*stream{"early": early, "late": late} {
		if ev, _ := st.next(); ev.Type != "end" || ev.ID != strconv.Itoa(tokens+2) {
			t.Errorf("%s: got %v, want end %d", name, ev, tokens+2)
		}
	}
}

func TestCancelHangsUpAndFreesTheSlot(t *testing.T) {
	hungUp := make(chan struct{}, 2)
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(1)
		<-out.gone
		hungUp <- struct{}{}
	}), 1)
	running, waiting := s.submit(""), s.submit("")
	st := s.follow(running, "")
	st.next()
	st.next()
	s.want(204, "ci", "infer", "POST", "/v2/tasks/"+waiting+"/cancel", nil)
	if got := types(s.follow(waiting, "").rest()); got != "canceled" {
		t.Errorf("a waiting task: got %q, want canceled", got)
	}
	next := s.submit("")
	s.want(204, "ci", "infer", "POST", "/v2/tasks/"+running+"/cancel", nil)
	s.want(204, "ci", "infer", "POST", "/v2/tasks/"+running+"/cancel", nil)
	if got := types(st.rest()); got != "canceled" {
		t.Errorf("a running task: got %q, want canceled", got)
	}
	s.shown(running, 1)
	testkit.Receive(t, hungUp, "the end of the engine's call")
	testkit.Eventually(t, "the next task has the slot", func() bool { return s.state(next) == "running" })
}

// TestCancelEndsATaskThatHasRunForLong: in the first moments of a dispatch its own writes
// bring a cancel into effect. Later there are none, until the end.
func TestCancelEndsATaskThatHasRunForLong(t *testing.T) {
	hungUp := make(chan struct{}, 1)
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(1)
		<-out.gone
		hungUp <- struct{}{}
	}), 1)
	running := s.submit("")
	st := s.follow(running, "")
	st.next()
	st.next()
	<-time.After(2 * time.Second) // many times showWindow, after which a dispatch writes nothing
	next := s.submit("")
	s.want(204, "ci", "infer", "POST", "/v2/tasks/"+running+"/cancel", nil)
	if got := types(st.rest()); got != "canceled" {
		t.Errorf("got %q, want canceled", got)
	}
	testkit.Receive(t, hungUp, "the end of the pool's call")
	testkit.Eventually(t, "the next task has the slot", func() bool { return s.state(next) == "running" })
}

func TestAFullQueueSaysWhenToComeBack(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{Capacity: 2}})
	p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { <-out.gone })
	s.join("n1", p, 1)
	first := s.submit("")
	testkit.Eventually(t, "the first runs", func() bool { return s.state(first) == "running" })
	s.submit("")
	s.submit("")
	status, header, body := s.send(s.request("ci", "infer", "POST", "/v2/tasks", task("")))
	if status != 429 || header.Get("Retry-After") == "" || header.Get("X-Backoff-Ms") == "" {
		t.Errorf("got %d, %v", status, header)
	}
	if body["policy_label"] != "reject" || body["retriable"] != true || body["retry_after_ms"] == nil || body["code"] != "QUEUE_FULL" {
		t.Errorf("got %v", body)
	}
}

func TestExpiredWorkNeverReachesAnEngine(t *testing.T) {
	s := start(t, app.Options{})
	p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); <-out.gone })
	s.join("n1", p, 1)
	running := s.submit("")
	s.follow(running, "").next()
	late := s.submit(`,"deadline_ms":1`)
	events := s.follow(late, "").rest()
	if types(events) != "error" || !strings.Contains(events[0].Data, "DEADLINE_EXCEEDED") {
		t.Errorf("got %v", events)
	}
	if len(p.calls) != 1 {
		t.Errorf("the engine was called %d times, want once", len(p.calls))
	}
}

// shown wants a task's record to count the tokens that its stream has shown.
func (s *service) shown(id string, tokens int) {
	s.t.Helper()
	if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["tokens_out"]; got != float64(tokens) {
		s.t.Errorf("task %s: tokens_out is %v, want %d", id, got, tokens)
	}
}

func TestARunningTaskWithoutATokenEndsAtItsDeadline(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { <-out.gone }), 1)
	id := s.submit(`,"deadline_ms":300`)
	events := s.follow(id, "").rest()
	s.shown(id, 0)
	if last := events[len(events)-1]; last.Type != "error" || !strings.Contains(last.Data, "DEADLINE_EXCEEDED") {
		t.Errorf("got %v", events)
	}
}

func TestLostBeforeTheFirstTokenRunsElsewhere(t *testing.T) {
	s := start(t, app.Options{})
	bad := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.die() })
	good := newPool(t, echo(2))
	s.join("a", bad, 4) // ties go by name: the bad one is first
	s.join("b", good, 4)
	events := s.follow(s.submit(""), "").rest()
	if got := types(events); got != "started token end" {
		t.Errorf("got %q", got)
	}
	if len(bad.calls) != 1 || len(good.calls) != 1 {
		t.Errorf("calls: bad %d, good %d, want 1 and 1", len(bad.calls), len(good.calls))
	}
}

func TestLostAfterTheFirstTokenIsAReset(t *testing.T) {
	s := start(t, app.Options{})
	s.join("a", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); out.die() }), 4)
	good := newPool(t, echo(2))
	s.join("b", good, 4)
	id := s.submit("")
	events := s.follow(id, "").rest()
	s.shown(id, 1)
	if types(events) != "started token error" || !strings.Contains(events[2].Data, "WORKER_RESET") {
		t.Errorf("got %v", events)
	}
	if len(good.calls) != 0 {
		t.Error("it ran a second time")
	}
}
