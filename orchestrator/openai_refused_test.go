package orchestrator_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"

	"github.com/llorch/gateway/orchestrator/app"
)

// TestWhatWouldChangeTheAnswerIsRefusedAndNotIgnored sends members of OpenAI's
// requests that no engine is told of. The official client has to show which.
func TestWhatWouldChangeTheAnswerIsRefusedAndNotIgnored(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	c := openai.NewClient(option.WithBaseURL("http://"+s.addr+"/v1"), option.WithAPIKey(s.direct.Reveal()), option.WithMaxRetries(0))
	turn := func(more string) string {
		return `[{"role":"user","content":"a"},{"role":"assistant","content":"b"` + more + `}]`
	}
	chat := map[string]any{"messages": json.RawMessage(turn(""))}
	text := map[string]any{"prompt": "hello"}
	for _, r := range []struct {
		path    string
		rest    map[string]any
		refused map[string]string // by member; "" for what is taken
	}{
		{"chat/completions", chat, map[string]string{
			`"tools":[{"type":"function","function":{"name":"f"}}]`: "tools", `"tools":[]`: "", `"tools":null`: "",
			`"tool_choice":"required"`: "tool_choice", `"tool_choice":"auto"`: "", `"functions":[{"name":"f"}]`: "functions", `"function_call":{"name":"f"}`: "function_call",
			`"response_format":{"type":"json_object"}`: "response_format", `"response_format":{"type":"text"}`: "",
			`"logprobs":true`: "logprobs", `"logprobs":false`: "", `"top_logprobs":2`: "top_logprobs",
			`"top_p":0.5`: "", `"top_p":1.5`: "top_p", `"frequency_penalty":1`: "frequency_penalty", `"presence_penalty":-0.5`: "presence_penalty", `"presence_penalty":0.0`: "",
			`"logit_bias":{"1":-100}`: "logit_bias", `"logit_bias":{}`: "", `"modalities":["text","audio"]`: "modalities", `"modalities":["text"]`: "",
			`"audio":{"voice":"x"}`: "audio", `"reasoning_effort":"high"`: "reasoning_effort", `"verbosity":"low"`: "verbosity", `"web_search_options":{}`: "web_search_options",
			`"messages":` + turn(`,"tool_calls":[{"id":"1"}]`): "messages[1].tool_calls", `"messages":` + turn(`,"tool_calls":null`): "",
			`"messages":` + turn(`,"function_call":{"name":"f"}`): "messages[1].function_call", `"messages":` + turn(`,"tool_call_id":"1"`): "messages[1].tool_call_id",
			`"n":2`: "n", `"user":"me","store":true,"service_tier":"auto","of_tomorrow":1`: "",
		}},
		{"completions", text, map[string]string{
			`"logprobs":0`: "logprobs", `"logprobs":null`: "", `"echo":true`: "echo", `"echo":false`: "", `"suffix":"x"`: "suffix", `"suffix":""`: "",
			`"best_of":2`: "best_of", `"best_of":1`: "",
		}},
	} {
		for member, param := range r.refused {
			body := maps.Clone(r.rest)
			body["model"] = "demo"
			var more map[string]json.RawMessage
			if err := json.Unmarshal([]byte("{"+member+"}"), &more); err != nil {
				t.Fatal(err)
			}
			for name, value := range more {
				body[name] = value
			}
			err := c.Post(t.Context(), r.path, body, nil)
			refusal, _ := errors.AsType[*openai.Error](err)
			switch {
			case param == "" && err != nil:
				t.Errorf("%s with %s: %v, want an answer", r.path, member, err)
			case param != "" && (refusal == nil || refusal.StatusCode != 422 || refusal.Param != param || refusal.Message == ""):
				t.Errorf("%s with %s: got %v, want a refusal that names %s", r.path, member, err, param)
			}
		}
	}
}

// TestTheOpenAILimitsOfAnAnswerReachTheEngine: null is no stop sequence, and of
// two limits the newer member's holds.
func TestTheOpenAILimitsOfAnAnswerReachTheEngine(t *testing.T) {
	s, p := start(t, app.Options{}), newPool(t, echo(1))
	s.join("n1", p, 1)
	const body = `{"model":"demo","messages":[{"role":"user","content":"a"}],"stop":null,"max_tokens":9,"max_completion_tokens":4,"top_p":0.5}`
	s.want(200, "ci", "infer", "POST", "/v1/chat/completions", body)
	if got := <-p.calls; got.Stop != nil || got.MaxTokens != 4 || got.TopP == nil || *got.TopP != 0.5 {
		t.Errorf("got %+v, want no stop, max_tokens 4, top_p 0.5", got)
	}
	s.want(422, "ci", "infer", "POST", "/v2/tasks", task(`,"stop":[""]`))
}

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
