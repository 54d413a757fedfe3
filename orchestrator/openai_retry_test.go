package orchestrator_test

import (
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestOnlyWhatMayHelpIsToBeRepeated: by default OpenAI's client repeats each call that
// is answered 409 or 502, a canceled one as well, but for X-Should-Retry.
func TestOnlyWhatMayHelpIsToBeRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		end    nodeapi.Event // none: an administrator cancels the task
		status int
		retry  string // X-Should-Retry
		calls  int
	}{
		"canceled":              {nodeapi.Event{}, 409, "false", 1},
		"the engine refuses":    {nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_REFUSED", Message: "no"}, 502, "false", 1},
		"the worker is no more": {nodeapi.Event{Type: nodeapi.EventError, Code: "WORKER_RESET", Message: "gone"}, 502, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, app.Options{})
			p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
				out.tokens(1)
				if c.end.Type == "" {
					<-out.gone
					return
				}
				out.send(c.end)
			})
			s.join("n1", p, 1)
			type answer struct {
				status int
				retry  string
			}
			answered := make(chan answer, 1)
			go func() {
				status, header, _ := s.send(s.request("ci", "infer", "POST", "/v1/chat/completions",
					`{"model":"demo","messages":[{"role":"user","content":"hello"}]}`))
				answered <- answer{status, header.Get("X-Should-Retry")}
			}()
			if c.end.Type == "" {
				path := "/v2/tasks/" + testkit.Receive(t, p.calls, "a call of the pool").TaskID
				testkit.Eventually(t, "the task is stored", func() bool {
					status, _, _ := s.send(s.request("root", "infer,admin", "GET", path, nil))
					return status == 200
				})
				s.want(204, "root", "infer,admin", "POST", path+"/cancel", nil)
				p.calls <- nodeapi.DispatchRequest{} // counted below
			}
			if got, want := testkit.Receive(t, answered, "the answer"), (answer{c.status, c.retry}); got != want || len(p.calls) != c.calls {
				t.Errorf("got %+v after %d calls, want %+v after %d", got, len(p.calls), want, c.calls)
			}
		})
	}
}
