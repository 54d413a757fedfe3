package orchestrator_test

import (
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestTheOfficialOpenAIClientRepeatsOnlyWhatMayHelp: by default it repeats each
// call that is answered 409 or 502, a canceled one as well.
func TestTheOfficialOpenAIClientRepeatsOnlyWhatMayHelp(t *testing.T) {
	for name, c := range map[string]struct {
		end    nodeapi.Event // none: an administrator cancels the task
		status int
		calls  int
	}{
		"canceled":              {nodeapi.Event{}, 409, 1},
		"the engine refuses":    {nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_REFUSED", Message: "no"}, 502, 1},
		"the worker is no more": {nodeapi.Event{Type: nodeapi.EventError, Code: "WORKER_RESET", Message: "gone"}, 502, 6}, // two dispatches for each of its three calls
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
			answered := make(chan error)
			go func() {
				cl := openai.NewClient(option.WithBaseURL("http://"+s.addr+"/v1"), option.WithAPIKey(s.direct.Reveal()), option.WithMaxRetries(2))
				_, err := cl.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
					Model: "demo", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
				})
				answered <- err
			}()
			if c.end.Type == "" {
				path := "/v2/tasks/" + (<-p.calls).TaskID
				testkit.Eventually(t, "the task is stored", func() bool {
					status, _, _ := s.send(s.request("root", "infer,admin", "GET", path, nil))
					return status == 200
				})
				s.want(204, "root", "infer,admin", "POST", path+"/cancel", nil)
				p.calls <- nodeapi.DispatchRequest{} // counted below
			}
			failed, _ := errors.AsType[*openai.Error](<-answered)
			if failed == nil || failed.StatusCode != c.status || len(p.calls) != c.calls {
				t.Errorf("got %v after %d calls, want %d after %d", failed, len(p.calls), c.status, c.calls)
			}
		})
	}
}
