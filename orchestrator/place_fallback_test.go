package orchestrator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// offers registers a node with a pool that has the model, as edit changes it. The node is
// called as the model.
func (s *service) offers(model string, dispatch func(*sink, nodeapi.DispatchRequest), edit func(*nodeapi.Pool)) *pool {
	s.t.Helper()
	p := newPool(s.t, dispatch)
	p.model = model
	s.reports(p, edit)
	return p
}

// reports has the node of a pool say what edit makes of it.
func (s *service) reports(p *pool, edit func(*nodeapi.Pool)) {
	s.t.Helper()
	node := strings.ReplaceAll(p.model, "/", "-")
	r := p.registration(node, 1)
	if edit != nil {
		edit(&r.Pools[0])
	}
	s.want(200, node, "nodes", "POST", "/v2/nodes/register", r)
}

// falling is a service whose catalog has small, called little as well, tiny, and big,
// which falls back to them as fallback says.
func falling(t *testing.T, fallback string) *service {
	t.Helper()
	s := start(t, app.Options{})
	s.enter("small", digest("s"), "file:s", `,"aliases":["little"]`)
	s.enter("tiny", digest("t"), "file:t", "")
	s.enter("big", digest("b"), "file:b", `,"aliases":["large"],"fallback":`+fallback)
	return s
}

func notReady(p *nodeapi.Pool) { p.Ready = false }
func draining(p *nodeapi.Pool) { p.Draining = true }

// asks makes a call for the model and checks which one has answered: want is "" for the
// model itself. The answer's model is the name asked for, and the record says the same as
// the header.
func (s *service) asks(model, extra, want string) {
	s.t.Helper()
	status, header, answer := s.send(s.request("ci", "infer", "POST", "/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]`+extra+`}`))
	_, sent := header["X-Model-Used"]
	if status != 200 || header.Get("X-Model-Used") != want || sent != (want != "") {
		s.t.Errorf("%s%s: got %d %v, X-Model-Used %q, want %q", model, extra, status, answer, header.Values("X-Model-Used"), want)
	}
	if answer != nil && answer["model"] != model {
		s.t.Errorf("%s%s: the answer is of %v", model, extra, answer["model"])
	}
	s.recorded(header.Get("X-Task-Id"), want)
}

// recorded checks model_used in the record of a task that has ended.
func (s *service) recorded(id, want string) {
	s.t.Helper()
	var got map[string]any
	testkit.Eventually(s.t, "the task ends", func() bool {
		got = s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
		return got["ended_at"] != nil
	})
	if used, has := got["model_used"]; fmt.Sprint(used) != want && (has || want != "") {
		s.t.Errorf("model_used: got %v, want %q in %v", used, want, got)
	}
}

// waits checks that the task waits, and for what.
func (s *service) waits(id, why string) {
	s.t.Helper()
	testkit.Eventually(s.t, "the task waits: "+why, func() bool {
		got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
		text, _ := got["waiting"].(string)
		return got["state"] == "queued" && strings.Contains(text, why)
	})
}

func (s *service) prompt(model string) string {
	s.t.Helper()
	return s.submitBody(`{"model_ref":"` + model + `","prompt":"x"}`)
}

// TestAFallbackRunsWhatItsModelCannot: in the order of the entry, calls and prompts alike,
// and only while no ready pool holds the model.
func TestAFallbackRunsWhatItsModelCannot(t *testing.T) {
	s := falling(t, `["little","tiny"]`)
	small, tiny := s.offers("small", echo(1), nil), s.offers("tiny", echo(1), nil)
	both := func(want string) {
		t.Helper()
		s.asks("big", "", want)
		s.asks("large", `,"stream":true`, want)
		id := s.prompt("big")
		if got := types(s.follow(id, "").rest()); got != "started token end" {
			t.Errorf("a prompt: got %q", got)
		}
		s.recorded(id, want)
	}
	both("small") // no pool has it
	for len(small.calls) > 0 {
		if d := testkit.Receive(t, small.calls, "a call of the pool"); d.ModelRef != "small" {
			t.Errorf("the pool was asked for %q", d.ModelRef)
		}
	}
	big := s.offers("big", echo(1), draining)
	both("small")
	s.reports(big, notReady)
	both("small")
	s.reports(small, notReady)
	both("tiny")
	s.reports(small, nil)
	s.catalog(202, "POST", "/models/small/state", `{"state":"Retired"}`)
	both("tiny")
	s.catalog(202, "POST", "/models/small/state", `{"state":"Active"}`)
	s.reports(big, nil)
	both("")
	if len(big.calls) != 3 || len(tiny.calls) != 6 {
		t.Errorf("dispatches: %d of the model, %d of its second fallback, want 3 and 6", len(big.calls), len(tiny.calls))
	}
}

// TestABusyModelIsWaitedFor: also one that is a fallback itself.
func TestABusyModelIsWaitedFor(t *testing.T) {
	s := falling(t, `["small","tiny"]`)
	release := make(chan struct{}, 8)
	held := func(out *sink, _ nodeapi.DispatchRequest) {
		select {
		case <-release:
			out.tokens(1)
			out.end(1)
		case <-out.gone:
		}
	}
	big, small, tiny := s.offers("big", held, nil), s.offers("small", held, nil), s.offers("tiny", echo(1), nil)
	wait := func(want string, p *pool) {
		t.Helper()
		first := s.prompt("big")
		testkit.Eventually(t, "the first is dispatched", func() bool { return len(p.calls) == 1 })
		second := s.prompt("big")
		s.waits(second, "every slot of the pools with "+p.model+" is in use")
		release <- struct{}{}
		release <- struct{}{}
		s.recorded(first, want)
		s.recorded(second, want)
	}
	wait("", big)
	s.reports(big, notReady)
	wait("small", small)
	if len(tiny.calls) > 0 {
		t.Error("the second fallback ran while the first was busy")
	}
}

// TestAFallbackRunsWhenTheAttemptsAreUsedUp: of a model whose pool is ready, and fails
// before the first byte.
func TestAFallbackRunsWhenTheAttemptsAreUsedUp(t *testing.T) {
	s := falling(t, `["small","tiny"]`)
	die := func(out *sink, _ nodeapi.DispatchRequest) { out.die() }
	big, small, tiny := s.offers("big", die, nil), s.offers("small", die, nil), s.offers("tiny", echo(1), nil)
	s.asks("big", "", "tiny")
	if len(big.calls) != 2 || len(small.calls) != 2 || len(tiny.calls) != 1 {
		t.Errorf("dispatches: got %d, %d and %d, want 2, 2 and 1", len(big.calls), len(small.calls), len(tiny.calls))
	}
	s.want(204, "tiny", "nodes", "DELETE", "/v2/nodes/tiny", nil)
	s.want(204, "small", "nodes", "DELETE", "/v2/nodes/small", nil)
	status, header, answer := s.send(s.request("ci", "infer", "POST", "/v1/chat/completions", `{"model":"big","messages":[]}`))
	if status != 502 || answer["code"] != "WORKER_UNAVAILABLE" || header.Get("X-Model-Used") != "" {
		t.Errorf("no fallback can run: got %d %v", status, answer)
	}
}

// TestNoFallbackAfterTheFirstByte: what a reader has seen of one model is not continued by
// another.
func TestNoFallbackAfterTheFirstByte(t *testing.T) {
	s := falling(t, `["small"]`)
	cut := func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); out.die() }
	s.offers("big", cut, nil)
	small := s.offers("small", echo(1), nil)
	id := s.prompt("big")
	if got := types(s.follow(id, "").rest()); got != "started token error" {
		t.Errorf("a prompt: got %q", got)
	}
	s.recorded(id, "")
	s.asks("big", `,"stream":true`, "")
	if len(small.calls) > 0 {
		t.Error("the fallback ran")
	}
}

// TestFallbacksAreOneLevelDeep, and circles are harmless.
func TestFallbacksAreOneLevelDeep(t *testing.T) {
	s := falling(t, `["small"]`)
	s.enter("first", digest("f"), "file:f", `,"fallback":["big"]`)
	s.catalog(204, "DELETE", "/models/small", nil)
	s.enter("small", digest("s"), "file:s", `,"fallback":["first","big"]`)
	small := s.offers("small", echo(1), nil)
	s.asks("big", "", "small")
	id := s.prompt("first")
	s.waits(id, "no ready pool holds first")
	if len(small.calls) != 1 {
		t.Error("a fallback's fallback ran")
	}
	s.offers("first", echo(1), nil)
	s.recorded(id, "")
}

// TestAFallbackSpeaksTheProtocol of the call, and serves one that the model's own pools do
// not speak.
func TestAFallbackSpeaksTheProtocol(t *testing.T) {
	s := falling(t, `["small","tiny"]`)
	promptsOnly := func(p *nodeapi.Pool) { p.Workloads = []string{nodeapi.WorkloadCompletion} }
	s.offers("small", echo(1), promptsOnly)
	s.offers("tiny", echo(1), nil)
	s.asks("big", "", "tiny")
	id := s.prompt("big")
	s.recorded(id, "small")
	s.offers("big", echo(1), promptsOnly)
	s.asks("big", "", "tiny")
	s.recorded(s.prompt("big"), "")
	if got := s.want(422, "ci", "infer", "POST", "/v1/chat/completions", `{"model":"small","messages":[]}`); got["code"] != "PROTOCOL_NOT_SERVED" {
		t.Errorf("without a fallback: got %v", got)
	}
}

// TestAResponseOfAFallbackIsContinuedThere: the engine that made it keeps it.
func TestAResponseOfAFallbackIsContinuedThere(t *testing.T) {
	s := falling(t, `["small"]`)
	s.offers("small", echo(1), nil)
	call := func(method, path, body string) {
		t.Helper()
		status, header, answer := s.send(s.request("ci", "infer", method, path, body))
		if status != http.StatusOK || header.Get("X-Model-Used") != "small" {
			t.Errorf("%s %s: got %d %v, X-Model-Used %q", method, path, status, answer, header.Get("X-Model-Used"))
		}
	}
	call("POST", "/v1/responses", `{"model":"big","input":"x"}`)
	s.offers("big", echo(1), nil)
	call("POST", "/v1/responses", `{"model":"big","input":"y","previous_response_id":"resp_1"}`)
	call("GET", "/v1/responses/resp_1", "")
}

// An identity with a list of models falls back only to those in it, by their id or by an
// alias. The list stays with the task.
func TestFallbackIsBoundByTheModelsOfTheIdentity(t *testing.T) {
	for models, want := range map[string]string{"*": "small", "big,tiny": "tiny", "big,little": "small", "big,ti*": "tiny"} {
		s := falling(t, `["small","tiny"]`)
		s.offers("big", echo(1), notReady)
		s.offers("small", echo(1), nil)
		s.offers("tiny", echo(1), nil)
		r := s.request("ci", "infer", "POST", "/v1/chat/completions", `{"model":"big","messages":[{"role":"user","content":"hi"}]}`)
		r.Header.Set("X-Auth-Models", models)
		if status, header, answer := s.send(r); status != 200 || header.Get("X-Model-Used") != want {
			t.Errorf("%s: got %d %v, X-Model-Used %q, want %q", models, status, answer, header.Get("X-Model-Used"), want)
		}
	}
}
