package orchestrator_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// dripping sends a token at a time for longer than the deadlines of these tests.
func dripping(tokens int) func(*sink, nodeapi.DispatchRequest) {
	return func(out *sink, _ nodeapi.DispatchRequest) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := range tokens {
			select {
			case <-out.gone:
				return
			case <-tick.C:
				out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: "x", Index: i})
			}
		}
		out.end(tokens)
	}
}

// TestAStreamThatFlowsIsNotCutAtItsDeadline, in a task and on the OpenAI routes, for
// a deadline of the task and of the operator.
func TestAStreamThatFlowsIsNotCutAtItsDeadline(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{Deadline: 400 * time.Millisecond}})
	p := newPool(t, dripping(40))
	s.join("n1", p, 9)
	for name, body := range map[string]string{"the task's": `,"deadline_ms":400`, "the operator's": ""} {
		id := s.submit(body)
		if got := types(s.follow(id, "").rest()); got != "started token end" {
			t.Errorf("%s deadline: got %q", name, got)
		}
		if d := testkit.Receive(t, p.calls, "a call of the pool"); d.DeadlineMS > 400 || d.DeadlineMS < 1 || d.StreamLimitMS != 0 {
			t.Errorf("%s deadline: the pool was told %d and %d ms, want at most 400 and none", name, d.DeadlineMS, d.StreamLimitMS)
		}
	}
	r := s.request("ci", "infer", "POST", "/v1/completions", `{"model":"demo","prompt":"x","stream":true}`)
	r.Header.Set("X-Deadline-Ms", "300")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
		t.Errorf("OpenAI: got %v, …%q", err, text[max(0, len(text)-100):])
	}
	if d := testkit.Receive(t, p.calls, "a call of the pool"); d.DeadlineMS > 300 || d.DeadlineMS < 1 {
		t.Errorf("X-Deadline-Ms: the pool was told %d ms, want at most 300", d.DeadlineMS)
	}
}

// TestAStreamHasALimitOfItsOwn: the task's, or the operator's.
func TestAStreamHasALimitOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		options app.Options
		more    string
	}{
		"the task's":     {app.Options{}, `,"stream_limit_ms":300`},
		"the operator's": {app.Options{Settings: orchestrator.Settings{StreamLimit: 300 * time.Millisecond}}, ""},
		"the shorter":    {app.Options{Settings: orchestrator.Settings{StreamLimit: time.Hour}}, `,"stream_limit_ms":300`},
	} {
		s := start(t, c.options)
		p := newPool(t, dripping(1000))
		s.join("n1", p, 1)
		id := s.submit(c.more)
		events := s.follow(id, "").rest()
		if last := events[len(events)-1]; types(events) != "started token error" || !strings.Contains(last.Data, "STREAM_LIMIT_EXCEEDED") {
			t.Errorf("%s: got %q, the last is %v", name, types(events), last)
		}
		if d := testkit.Receive(t, p.calls, "a call of the pool"); d.StreamLimitMS != 300 {
			t.Errorf("%s: the pool was told %d ms", name, d.StreamLimitMS)
		}
	}
}

func TestDeadlinesThatCannotBeAreRefused(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	for _, value := range []string{"0", "-1", "soon", "1.5", "86400001", "99999999999999999999", "1e3"} {
		for path, body := range map[string]string{
			"/v1/completions": `{"model":"demo","prompt":"x"}`, "/v1/embeddings": `{"model":"demo","input":"x"}`,
			"/v1/chat/completions": `{"model":"demo","messages":[{"role":"user","content":"x"}]}`,
		} {
			r := s.request("ci", "infer", "POST", path, body)
			r.Header.Set("X-Deadline-Ms", value)
			if got, _, answer := s.send(r); got != 422 || !strings.Contains(fmt.Sprint(answer), "X-Deadline-Ms") {
				t.Errorf("%s, X-Deadline-Ms: %s: got %d %v, want 422 that names it", path, value, got, answer)
			}
		}
	}
	for _, more := range []string{`,"stream_limit_ms":-1`, `,"stream_limit_ms":86400001`, `,"stream_limit_ms":"1"`} {
		s.want(422, "ci", "infer", "POST", "/v2/tasks", task(more))
	}
}
