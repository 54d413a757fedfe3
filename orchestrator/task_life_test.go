package orchestrator_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
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
		<-goOn
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
	s := start(t, app.Options{Heartbeat: 10 * time.Millisecond})
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
		<-goOn
		out.end(tokens)
	}), 1)
	id := s.submit("")
	early := s.follow(id, "")
	<-half
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
	<-hungUp
	testkit.Eventually(t, "the next task has the slot", func() bool { return s.state(next) == "running" })
}

func TestAFullQueueSaysWhenToComeBack(t *testing.T) {
	s := start(t, app.Options{Capacity: 2})
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

func TestTasksBelongToTheirIdentity(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	id := s.submit("")
	for _, c := range []struct{ method, path string }{
		{"GET", "/v2/tasks/" + id}, {"GET", "/v2/tasks/" + id + "/events"}, {"POST", "/v2/tasks/" + id + "/cancel"},
	} {
		if got := s.want(404, "eve", "infer", c.method, c.path, nil); got["code"] != "TASK_NOT_FOUND" {
			t.Errorf("%s: got %v", c.path, got)
		}
	}
	if got := s.want(200, "eve", "infer", "GET", "/v2/tasks", nil)["tasks"].([]any); len(got) != 0 {
		t.Errorf("eve's list has %v", got)
	}
	s.want(200, "root", "admin", "GET", "/v2/tasks/"+id, nil)
	if got := s.want(200, "root", "admin", "GET", "/v2/tasks", nil)["tasks"].([]any); len(got) != 1 {
		t.Errorf("an administrator's list has %v", got)
	}
	s.want(409, "eve", "infer", "POST", "/v2/tasks", task(`,"task_id":"`+id+`"`))
}

func TestAnIdempotencyKeyGivesOneTask(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	send := func(identity, body string) (int, map[string]any) {
		r := s.request(identity, "infer", "POST", "/v2/tasks", body)
		r.Header.Set("Idempotency-Key", "k")
		status, _, answer := s.send(r)
		return status, answer
	}
	_, first := send("ci", task(""))
	if status, again := send("ci", task("")); status != 202 || again["task_id"] != first["task_id"] {
		t.Errorf("again: got %d %v, want the task %v", status, again, first["task_id"])
	}
	if status, _ := send("ci", task(`,"seed":1`)); status != 409 {
		t.Errorf("another body: got %d, want 409", status)
	}
	if status, other := send("eve", task("")); status != 202 || other["task_id"] == first["task_id"] {
		t.Errorf("another identity: got %d %v, want a task of its own", status, other)
	}
}

// TestAKeyIsNotTiedToAnotherRequestsTask: an admission says that this body was
// taken, so a task_id that another body has is a conflict, each time.
func TestAKeyIsNotTiedToAnotherRequestsTask(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	const id = `,"task_id":"0b0e2c3a-1111-4222-8333-444455556666"`
	send := func(key, body string) int {
		r := s.request("ci", "infer", "POST", "/v2/tasks", body)
		r.Header.Set("Idempotency-Key", key)
		status, _, _ := s.send(r)
		return status
	}
	for _, step := range []struct {
		key, body string
		want      int
	}{
		{"one", task(id), 202}, {"one", task(id), 202},
		{"two", task(id + `,"seed":1`), 409}, {"two", task(id + `,"seed":1`), 409},
		{"two", task(""), 202}, // the key was not used up
	} {
		if got := send(step.key, step.body); got != step.want {
			t.Errorf("key %s with %s: got %d, want %d", step.key, step.body, got, step.want)
		}
	}
}

// TestAnIDIsFoundAsItWasSpelled: a UUID is the same in capitals.
func TestAnIDIsFoundAsItWasSpelled(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	const id, session = "0B0E2C3A-1111-4222-8333-444455556666", "0B0E2C3A-1111-4222-8333-444455557777"
	s.submit(`,"task_id":"` + id + `","session_id":"` + session + `"`)
	s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
	s.want(204, "ci", "infer", "POST", "/v2/tasks/"+id+"/cancel", nil)
	s.want(200, "ci", "infer", "GET", "/v2/sessions/"+session, nil)
	s.want(204, "ci", "infer", "DELETE", "/v2/sessions/"+session, nil)
	s.want(404, "ci", "infer", "GET", "/v2/tasks/nobody", nil)
}

func TestPagesOfTheListHoldEachTaskOnce(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	want := map[string]bool{}
	for range 7 {
		want[s.submit("")] = true
	}
	got, cursor := map[string]bool{}, ""
	for pages := 0; pages < 5; pages++ {
		page := s.want(200, "ci", "infer", "GET", "/v2/tasks?limit=3&cursor="+cursor, nil)
		for _, task := range page["tasks"].([]any) {
			got[task.(map[string]any)["task_id"].(string)] = true
		}
		if cursor, _ = page["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d tasks, want %d", len(got), len(want))
	}
	text, _ := json.Marshal(s.want(200, "ci", "infer", "GET", "/v2/tasks", nil))
	if strings.Contains(string(text), "hello") {
		t.Error("the list holds a prompt")
	}
}
