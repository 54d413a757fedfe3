package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// wantOpenAIStatus wants the engine's own error, whatever its words are.
func wantOpenAIStatus(t *testing.T, what string, err error, status int) {
	t.Helper()
	if got, _ := errors.AsType[*openai.Error](err); got == nil || got.StatusCode != status {
		t.Errorf("%s: got %v, want %d", what, err, status)
	}
}

func wantAnthropicStatus(t *testing.T, what string, err error, status int) {
	t.Helper()
	if got, _ := errors.AsType[*anthropic.Error](err); got == nil || got.StatusCode != status {
		t.Errorf("%s: got %v, want %d", what, err, status)
	}
}

// engineStructured: even noise keeps to a schema.
func engineStructured(t *testing.T, s engineSite) {
	schema := map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"open", "unit"},
		"properties": map[string]any{"open": map[string]any{"type": "boolean"}, "unit": map[string]any{"type": "string", "enum": []string{"celsius", "fahrenheit"}}},
	}
	check := func(what, text string) {
		var got struct {
			Open *bool
			Unit string
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Open == nil || got.Unit != "celsius" && got.Unit != "fahrenheit" {
			t.Errorf("%s: got %q, %v: no instance of the schema", what, text, err)
		}
	}
	params := s.chat()
	params.MaxTokens = openai.Int(200)
	params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "state", Strict: openai.Bool(true), Schema: schema}}
	c := s.openai(s.user)
	whole, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	check("whole", whole.Choices[0].Message.Content)
	check("streamed", accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), nil).Choices[0].Message.Content)
	if !s.knows(nodeapi.Ollama) {
		return
	}
	q := s.ollamaChat(true)
	if q.Format, err = json.Marshal(schema); err != nil {
		t.Fatal(err)
	}
	q.Options = nil
	_, all, err := chatted(t.Context(), s.ollama(t, s.user), q)
	if err != nil {
		t.Fatal(err)
	}
	check("ollama", all.Content)
}

// engineErrors: what an engine refuses has the engine's own status and words.
func engineErrors(t *testing.T, s engineSite) {
	c := s.openai(s.user)
	unknown := s.chat()
	unknown.Model = "nope"
	_, err := c.Chat.Completions.New(t.Context(), unknown)
	wantOpenAIError(t, "an unknown model", err, 404, "model_not_found")
	params := s.chat()
	for what, option := range map[string]openaioption.RequestOption{
		"a text for a number":   openaioption.WithJSONSet("max_tokens", "many"),
		"a number for messages": openaioption.WithJSONSet("messages", 7),
	} {
		_, err = c.Chat.Completions.New(t.Context(), params, option)
		wantOpenAIStatus(t, what, err, 400)
		stream := c.Chat.Completions.NewStreaming(t.Context(), params, option)
		stream.Next()
		wantOpenAIStatus(t, what+", streamed", stream.Err(), 400)
	}
	for path, body := range map[string]string{"/v1/chat/completions": `{"model":`, "/v1/messages": `{"model":"x"`, "/api/chat": `[]`} {
		answer, err := s.admin.As(s.user).Do("POST", path, body)
		if err != nil || answer.Status != 400 || !strings.Contains(string(answer.Body), `"error"`) {
			t.Errorf("%s with %s: %d %s, %v", path, body, answer.Status, answer.Body, err)
		}
	}
	if !s.real {
		return // its context is too long to fill here; see the test of its errors
	}
	long := s.chat()
	long.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage(strings.Repeat("gate ", 40_000))}
	if s.knows(nodeapi.Ollama) {
		return // Ollama cuts a prompt that is too long
	}
	_, err = c.Chat.Completions.New(t.Context(), long)
	wantOpenAIStatus(t, "too long a prompt", err, 400)
	if got, _ := errors.AsType[*openai.Error](err); got == nil || !strings.Contains(got.Message, "context") {
		t.Errorf("too long a prompt: the words are not the engine's: %v", err)
	}
}

// engineLeaves hangs up after the first pieces. A quick engine may have said all.
func engineLeaves(t *testing.T, s engineSite) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var answer *http.Response
	c := s.openai(s.user)
	params := s.chat()
	params.MaxTokens = openai.Int(20_000)
	stream := c.Chat.Completions.NewStreaming(ctx, params, openaioption.WithResponseInto(&answer))
	defer stream.Close()
	for range 3 {
		if !stream.Next() {
			t.Fatalf("the stream ends: %v", stream.Err())
		}
	}
	leave()
	testkit.Within(t, limit, "the end of the task", func() error {
		got, err := s.record(answer.Header.Get("X-Task-Id"))
		if err == nil && (got.State != "canceled" && got.State != "completed" || got.TokensOut == 0) {
			err = fmt.Errorf("record %+v", got)
		}
		return err
	})
	if _, err := c.Chat.Completions.New(t.Context(), s.chat()); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// engineResumed reads some of a stream, hangs up and goes on; then reads all of it anew.
func engineResumed(t *testing.T, s engineSite) {
	bodies := map[string]string{
		"/v1/chat/completions": `{"model":"` + s.model + `","max_tokens":20,"stream":true,"messages":[{"role":"user","content":"the gate is"}]}`,
		"/v1/completions":      `{"model":"` + s.model + `","max_tokens":20,"stream":true,"prompt":"the gate is"}`,
		"/v1/responses":        `{"model":"` + s.model + `","max_output_tokens":20,"stream":true,"input":"the gate is"}`,
		"/v1/messages":         `{"model":"` + s.model + `","max_tokens":20,"stream":true,"messages":[{"role":"user","content":"the gate is"}]}`,
	}
	for path, body := range bodies {
		key := authRandom()
		res := s.open(t, path, body, "Idempotency-Key", key)
		got := pieces(t, res.Body, 4)
		res.Body.Close()
		res = s.open(t, path, body, "Idempotency-Key", key, "Last-Event-ID", got[len(got)-1].ID)
		got = append(got, pieces(t, res.Body, 0)...)
		res.Body.Close()
		whole := pieces(t, s.open(t, path, body, "Idempotency-Key", key).Body, 0)
		if diff := cmp.Diff(whole, got); diff != "" || len(got) < 6 {
			t.Errorf("%s: (-read at once +with a pause):\n%s", path, diff)
		}
	}
	if !s.knows(nodeapi.Ollama) {
		return
	}
	key := authRandom()
	body := `{"model":"` + s.model + `","messages":[{"role":"user","content":"the gate is"}],"options":{"num_predict":20}}`
	res := s.open(t, "/api/chat", body, "Idempotency-Key", key)
	got := lines(t, res.Body, 4)
	res.Body.Close()
	res = s.open(t, "/api/chat", body, "Idempotency-Key", key, "Last-Event-ID", "4")
	got = append(got, lines(t, res.Body, 0)...)
	text, err := io.ReadAll(s.open(t, "/api/chat", body, "Idempotency-Key", key).Body)
	if err != nil || strings.Join(got, "\n")+"\n" != string(text) {
		t.Errorf("/api/chat: got %q and %q, %v", got, text, err)
	}
}
