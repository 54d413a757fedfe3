package orchestrator_test

import (
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
)

// TestRefusalsHaveTheErrorThatOpenAIClientsShow: the member "error" beside the
// problem's own members.
func TestRefusalsHaveTheErrorThatOpenAIClientsShow(t *testing.T) {
	s := start(t, app.Options{})
	for _, r := range []struct {
		path, body, code string
		status           int
	}{
		{"images/generations", `{}`, "ROUTE_NOT_FOUND", 404},
		{"models", `{}`, "METHOD_NOT_ALLOWED", 405},
		{"chat/completions", `{`, "INVALID_JSON", 400},
	} {
		got := s.want(r.status, "ci", "infer", "POST", "/v1/"+r.path, r.body)
		if e, _ := got["error"].(map[string]any); e["code"] != r.code || e["message"] == "" || e["type"] == "" {
			t.Errorf("POST %s: got %v, want %s, a type and a message", r.path, got, r.code)
		}
	}
}
