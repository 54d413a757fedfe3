package orchestrator_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// refusing answers each dispatch with a status and a header, until it has done so as
// often as it is told; then it serves.
func refusing(times int64, status int, retryAfter, hint string) (func(*sink, nodeapi.DispatchRequest), *atomic.Int64) {
	var refused atomic.Int64
	return func(out *sink, _ nodeapi.DispatchRequest) {
		if refused.Add(1) > times {
			out.tokens(1)
			out.end(1)
			return
		}
		if retryAfter != "" {
			out.w.Header().Set("Retry-After", retryAfter)
		}
		out.w.WriteHeader(status)
		fmt.Fprintf(out.w, `{"code":"NO_SLOT","hint":"%s"}`, hint)
	}, &refused
}

// busyEngine answers with the error event of an engine that takes no work.
func busyEngine(times int64, retryMS int64) (func(*sink, nodeapi.DispatchRequest), *atomic.Int64) {
	var refused atomic.Int64
	return func(out *sink, _ nodeapi.DispatchRequest) {
		if refused.Add(1) > times {
			out.tokens(1)
			out.end(1)
			return
		}
		out.send(nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_BUSY", Message: "the engine answered 429: slow down", Engine: "demo", RetryAfterMS: retryMS})
	}, &refused
}

// TestABusyPoolIsAskedAgainAndCostsNoAttempt: more often than a broken one would be.
func TestABusyPoolIsAskedAgainAndCostsNoAttempt(t *testing.T) {
	event, events := busyEngine(7, 1)
	too, tooMany := refusing(7, 429, "0", "no slot")
	un, unavailable := refusing(7, 503, "0", "overloaded")
	for name, c := range map[string]struct {
		dispatch func(*sink, nodeapi.DispatchRequest)
		asked    *atomic.Int64
	}{"an engine's event": {event, events}, "429": {too, tooMany}, "503": {un, unavailable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, app.Options{})
			p := newPool(t, c.dispatch)
			s.join("n1", p, 1)
			id := s.submit("")
			at := time.Now()
			testkit.Eventually(t, "the task has run", func() bool { // each heartbeat ends a pause that was not asked for
				at = at.Add(time.Millisecond)
				s.want(200, "n1", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, at))
				return s.state(id) == "completed"
			})
			if c.asked.Load() != 8 {
				t.Errorf("it was asked %d times, want 8", c.asked.Load())
			}
		})
	}
}

// TestABusyPoolIsLeftAloneAsItAsks has it say when to come again, in the forms that
// there are; heartbeats do not shorten that.
func TestABusyPoolIsLeftAloneAsItAsks(t *testing.T) {
	event, events := busyEngine(1, 60_000)
	seconds, inSeconds := refusing(1, 429, "60", "")
	date, atDate := refusing(1, 503, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), "")
	huge, never := refusing(1, 503, "99999999999999999999999", "")
	for name, c := range map[string]struct {
		dispatch func(*sink, nodeapi.DispatchRequest)
		asked    *atomic.Int64
	}{"an event": {event, events}, "seconds": {seconds, inSeconds}, "a date": {date, atDate}, "a number over 2^63": {huge, never}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, app.Options{})
			p, other := newPool(t, c.dispatch), newPool(t, echo(1))
			s.join("a", p, 4)
			id := s.submit(`,"deadline_ms":1500`)
			testkit.Eventually(t, "it was asked", func() bool { return c.asked.Load() == 1 })
			s.want(200, "a", "nodes", "POST", "/v2/nodes/a/heartbeat", beat(p, time.Now()))
			events := s.follow(id, "").rest()
			if c.asked.Load() != 1 {
				t.Errorf("asked %d times within 1.5 s, want once", c.asked.Load())
			}
			if last := events[len(events)-1]; last.Type != "error" {
				t.Errorf("got %v, want its end at the deadline", events)
			}
			s.join("b", other, 1)
			if got := types(s.follow(s.submit(""), "").rest()); !strings.HasSuffix(got, "started token end") || len(other.calls) != 1 {
				t.Errorf("while a rests: got %q and %d calls of b", got, len(other.calls))
			}
		})
	}
}

// TestTheEnginesWordsAreKeptAtTheDeadline of a task that only met busy pools.
func TestTheEnginesWordsAreKeptAtTheDeadline(t *testing.T) {
	event, _ := busyEngine(1<<40, 0)
	status, _ := refusing(1<<40, 503, "3", "model is loading \u202e[2J")
	for name, c := range map[string]struct {
		dispatch func(*sink, nodeapi.DispatchRequest)
		want     string
	}{"an engine": {event, "the engine answered 429: slow down"}, "a pool manager": {status, "503 NO_SLOT model is loading [2J"}} {
		s := start(t, app.Options{})
		s.join("n1", newPool(t, c.dispatch), 1)
		id := s.submit(`,"deadline_ms":600`)
		s.follow(id, "").rest()
		failure := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["error"].(map[string]any)
		if failure["code"] != "ENGINE_BUSY" || !strings.Contains(failure["message"].(string), c.want) || failure["engine"] != "demo" {
			t.Errorf("%s: got %v, want ENGINE_BUSY with %q", name, failure, c.want)
		}
		r := s.request("ci", "infer", "POST", "/v1/completions", `{"model":"demo","prompt":"x"}`)
		r.Header.Set("X-Deadline-Ms", "600")
		if got, _, answer := s.send(r); got != 503 || !strings.Contains(fmt.Sprint(answer["error"]), c.want) || !strings.Contains(fmt.Sprint(answer["error"]), "X-Deadline-Ms") {
			t.Errorf("%s: the OpenAI route: got %d %v", name, got, answer)
		}
	}
}

// TestABrokenPoolCostsAttempts still, and the task ends soon.
func TestABrokenPoolCostsAttempts(t *testing.T) {
	for name, dispatch := range map[string]func(*sink, nodeapi.DispatchRequest){
		"500": func(out *sink, _ nodeapi.DispatchRequest) { out.w.WriteHeader(500) },
		"502": func(out *sink, _ nodeapi.DispatchRequest) { out.w.WriteHeader(502) },
		"no connection to the engine": func(out *sink, _ nodeapi.DispatchRequest) {
			out.send(nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_UNAVAILABLE", Message: "refused"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, app.Options{})
			s.join("n1", newPool(t, dispatch), 1)
			events := s.follow(s.submit(""), "").rest()
			if last := events[len(events)-1]; !strings.Contains(last.Data, "WORKER_UNAVAILABLE") {
				t.Errorf("got %v, want WORKER_UNAVAILABLE", events)
			}
		})
	}
}
