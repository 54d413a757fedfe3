package orchestrator_test

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestARefusalIsNoFirstToken: an engine's own refusal is passed on, and no latency.
func TestARefusalIsNoFirstToken(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.native.status = 400
		out.send(nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_REJECTED", Message: "too long"})
	}), 1)
	s.want(400, "ci", "infer", "POST", "/v1/completions", `{"model":"demo","prompt":"x"}`)
	if text := s.metrics(); !strings.Contains(text, "latency_first_token_ms_count 0\n") {
		t.Error("the refusal counts as a first token")
	}
}
