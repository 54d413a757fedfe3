package orchestrator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestADeadlineAmongBrokenPoolsSaysWhatBroke: a pool that fails is not one that is busy,
// and what it said is kept.
func TestADeadlineAmongBrokenPoolsSaysWhatBroke(t *testing.T) {
	answer := func(status int, body string) func(*sink, nodeapi.DispatchRequest) {
		return func(out *sink, _ nodeapi.DispatchRequest) {
			out.w.Header().Set("Content-Type", "text/html")
			out.w.WriteHeader(status)
			fmt.Fprint(out.w, body)
		}
	}
	event := func(e nodeapi.Event) func(*sink, nodeapi.DispatchRequest) {
		return func(out *sink, _ nodeapi.DispatchRequest) { out.send(e) }
	}
	for name, c := range map[string]struct {
		dispatch func(*sink, nodeapi.DispatchRequest)
		want     string
	}{
		"500":         {answer(http.StatusInternalServerError, `{"code":"BROKEN","hint":"see its log"}`), "BROKEN"},
		"403":         {answer(http.StatusForbidden, "no"), "403"},
		"418":         {answer(http.StatusTeapot, "no"), "418"},
		"no stream":   {answer(http.StatusOK, "<h1>Welcome</h1>"), "Welcome"},
		"an error":    {event(nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_UNAVAILABLE", Message: "it is not there \x1b[2J"}), "it is not there [2J"},
		"wrong event": {event(nodeapi.Event{Type: nodeapi.EventScore, Score: 1}), "does not fit the workload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, app.Options{})
			s.join("n1", newPool(t, c.dispatch), 1)
			id := s.submit(`,"deadline_ms":600`)
			s.follow(id, "").rest()
			failure := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["error"].(map[string]any)
			message, _ := failure["message"].(string)
			if failure["code"] != "DEADLINE_EXCEEDED" || !strings.Contains(message, c.want) || !strings.Contains(message, "failed") {
				t.Errorf("got %v, want DEADLINE_EXCEEDED with %q", failure, c.want)
			}
		})
	}
}
