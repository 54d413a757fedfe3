package demoengine

import (
	"io"
	"strings"
	"testing"
)

const (
	saidHi       = `"messages":[{"role":"user","content":"hi"}],"max_tokens":500`
	chatTwo      = `"tools":[{"type":"function","function":{"name":"weather"}},{"type":"function","function":{"name":"clock"}}]`
	responsesTwo = `"tools":[{"type":"function","name":"weather"},{"type":"function","name":"clock"}]`
)

func TestOnlyAllowedToolsAreCalled(t *testing.T) {
	base, _ := start(t, nil)
	for _, c := range []struct{ path, body, want string }{
		{"/v1/chat/completions", saidHi + "," + chatTwo + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"clock"}}]}}`, `"name":"clock"`},
		{"/v1/chat/completions", saidHi + "," + chatTwo + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}`, `"tool_calls"`},
		{"/v1/responses", `"input":"hi",` + responsesTwo + `,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"clock"}]}`, `"name":"clock","status":"completed"`},
	} {
		answer := text(t, base, c.path, "{"+c.body+"}")
		if none := strings.Contains(c.body, `"tools":[]}`); strings.Contains(answer, c.want) == none {
			t.Errorf("%s %s: got %s, want %s in it: %t", c.path, c.body, answer, c.want, !none)
		}
	}
}

// TestWhatCannotBeSatisfiedIsRefused: other engines refuse it, so that a client's mistake
// shows with this one, too.
func TestWhatCannotBeSatisfiedIsRefused(t *testing.T) {
	base, _ := start(t, func(s *settings) { s.context = 8 })
	const long = `"a b c d e f g h i j"`
	for _, c := range []struct{ path, body, want string }{
		{"/v1/chat/completions", saidHi + `,"tool_choice":"required"`, "tool_choice"},
		{"/v1/chat/completions", saidHi + "," + chatTwo + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}}`, "tool_choice"},
		{"/v1/responses", `"input":"hi","tool_choice":"required"`, "tool_choice"},
		{"/v1/messages", saidHi + `,"tool_choice":{"type":"any"}`, "tool_choice"},
		{"/v1/chat/completions", saidHi + `,"response_format":{"type":"xml"}`, "response_format"},
		{"/v1/chat/completions", saidHi + `,"response_format":{"type":"json_schema"}`, "response_format"},
		{"/v1/responses", `"input":"hi","text":{"format":{"type":"xml"}}`, "text.format"},
		{"/v1/responses", `"input":"hi","text":{"format":{"type":"json_schema","name":"x"}}`, "text.format"},
		{"/api/chat", saidHi + `,"format":"xml"`, "format"},
		{"/api/generate", `"prompt":"hi","format":7`, "format"},
		{"/api/chat", saidHi + `,"logprobs":true,"top_logprobs":21`, "top_logprobs"},
		{"/v1/embeddings", `"input":"hi","encoding_format":"hex"`, "encoding_format"},
		{"/v1/embeddings", `"input":["a",` + long + `]`, "context_length_exceeded"},
		{"/api/embed", `"input":` + long + `,"truncate":false`, "maximum context length"},
	} {
		response := do(t, t.Context(), "POST", base+c.path, testKey, "{"+c.body+"}")
		if body, _ := io.ReadAll(response.Body); response.StatusCode != 400 || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s: got %d %s, want 400 that says %s", c.path, c.body, response.StatusCode, body, c.want)
		}
	}
	for path, body := range map[string]string{
		"/v1/chat/completions": saidHi + `,"response_format":{"type":"text"},"tool_choice":"auto"`, "/v1/embeddings": `"input":"hi","encoding_format":"float"`,
		"/api/generate": `"prompt":"hi","format":""`, "/api/embed": `"input":` + long,
	} {
		if answer := text(t, base, path, "{"+body+"}"); path == "/api/embed" && !strings.Contains(answer, `"prompt_eval_count":8`) {
			t.Errorf("%s: got %s, want 8 tokens, the others cut off", path, answer)
		}
	}
}
