package orchestrator_test

import (
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/llorch/gateway/orchestrator/app"
)

func TestTheOfficialOpenAIClientReadsEveryRefusal(t *testing.T) {
	s := start(t, app.Options{})
	c := openai.NewClient(option.WithBaseURL("http://"+s.addr+"/v1"), option.WithAPIKey(s.direct.Reveal()), option.WithMaxRetries(0))
	for _, r := range []struct {
		path, body, code string
		status           int
	}{
		{"images/generations", `{}`, "ROUTE_NOT_FOUND", 404},
		{"models", `{}`, "METHOD_NOT_ALLOWED", 405},
		{"chat/completions", `{`, "INVALID_JSON", 400},
	} {
		err := c.Post(t.Context(), r.path, []byte(r.body), nil)
		if got, _ := errors.AsType[*openai.Error](err); got == nil || got.StatusCode != r.status || got.Code != r.code || got.Message == "" {
			t.Errorf("POST %s: got %v, want %d %s and a message", r.path, err, r.status, r.code)
		}
	}
}
