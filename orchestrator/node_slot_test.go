package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestASlotIsFreeAfterEachEnd of a dispatch: with one slot, the task after it runs.
func TestASlotIsFreeAfterEachEnd(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		switch r.Prompt {
		case "error":
			out.tokens(1)
			out.send(nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_ERROR", Message: "no", Engine: "demo"})
		case "break":
			out.tokens(1)
			out.die()
		case "wait":
			out.tokens(1)
			<-out.gone
		default:
			out.tokens(1)
			out.end(1)
		}
	}), 1)
	for prompt, want := range map[string]string{"end": "started token end", "error": "started token error", "break": "started token error", "wait": "started token canceled"} {
		id := s.submitBody(fmt.Sprintf(`{"model_ref":"demo","prompt":%q}`, prompt))
		st := s.follow(id, "")
		if prompt == "wait" {
			testkit.Eventually(t, "the task runs", func() bool { return s.state(id) == "running" })
			st.next()
			st.next()
			s.want(204, "ci", "infer", "POST", "/v2/tasks/"+id+"/cancel", nil)
			want = "canceled"
		}
		if got := types(st.rest()); got != want {
			t.Fatalf("%s: got %q, want %q", prompt, got, want)
		}
		next := s.follow(s.submitBody(`{"model_ref":"demo","prompt":"next","deadline_ms":5000}`), "").rest()
		if got := types(next); got != "started token end" {
			t.Fatalf("after %s: got %q, want started token end: the slot is not free", prompt, strings.TrimSpace(got))
		}
	}
}
