package clients_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
)

// wantOpenAIError wants an error whose members a person can read. An empty code: any.
func wantOpenAIError(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	got, _ := errors.AsType[*openai.Error](err)
	switch {
	case got == nil:
		t.Errorf("%s: got %v, want an error of the API", what, err)
	case got.StatusCode != status || code != "" && got.Code != code || got.Code == "" || got.Type == "" || !strings.Contains(got.Message, " "):
		t.Errorf("%s: got %d %s, want %d %s and a message", what, got.StatusCode, got.RawJSON(), status, code)
	case got.Response.Header.Get("X-Request-Id") == "":
		t.Errorf("%s: the answer has no x-request-id", what)
	}
}

func openaiErrors(t *testing.T, s site) {
	for what, c := range map[string]struct {
		token  string
		change func(*openai.ChatCompletionNewParams)
		status int
		code   string
	}{
		"a wrong token":      {authRandom(), func(*openai.ChatCompletionNewParams) {}, 401, ""},
		"a token without it": {s.other, func(*openai.ChatCompletionNewParams) {}, 403, ""},
		"an unknown model":   {s.user, func(p *openai.ChatCompletionNewParams) { p.Model = "nope" }, 404, "model_not_found"},
		"no messages":        {s.user, func(p *openai.ChatCompletionNewParams) { p.Messages = []openai.ChatCompletionMessageParamUnion{} }, 400, "invalid_value"},
		"a role of no API":   {s.user, func(p *openai.ChatCompletionNewParams) { p.Messages[0].OfUser.Role = "owner" }, 400, "invalid_value"},
		"a type of no schema": {s.user, func(p *openai.ChatCompletionNewParams) {
			p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
				Name: "f", Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "str"}}}})}
		}, 400, "invalid_value"},
		"a type of no schema, in the format": {s.user, func(p *openai.ChatCompletionNewParams) {
			p.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{Name: "f", Schema: map[string]any{"type": "dict"}}}
		}, 400, "invalid_value"},
		"too many answers": {s.user, func(p *openai.ChatCompletionNewParams) { p.N = openai.Int(99) }, 400, "invalid_value"},
		"too long a prompt": {s.user, func(p *openai.ChatCompletionNewParams) {
			p.Messages = chatParams(openai.UserMessage(strings.Repeat("x ", 140_000))).Messages
		}, 400, "context_length_exceeded"},
	} {
		params := chatParams()
		c.change(&params)
		client := s.openai(c.token)
		_, err := client.Chat.Completions.New(t.Context(), params)
		wantOpenAIError(t, what, err, c.status, c.code)
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		stream.Next()
		wantOpenAIError(t, what+", streamed", stream.Err(), c.status, c.code)
	}
}

// counted counts the requests that a client makes.
func counted(n *atomic.Int64) openaioption.RequestOption {
	return openaioption.WithMiddleware(func(r *http.Request, next openaioption.MiddlewareNext) (*http.Response, error) {
		n.Add(1)
		return next(r)
	})
}

// openaiRefusedOnce: the client repeats each 409 by default.
func openaiRefusedOnce(t *testing.T, s site) {
	key := openaioption.WithHeader("Idempotency-Key", authRandom())
	c := s.openai(s.user)
	params := chatParams()
	params.MaxTokens = openai.Int(2)
	if _, err := c.Chat.Completions.New(t.Context(), params, key); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	params.MaxTokens = openai.Int(3)
	_, err := c.Chat.Completions.New(t.Context(), params, key, counted(&n), openaioption.WithMaxRetries(2))
	wantOpenAIError(t, "a key of another call", err, 409, "IDEMPOTENCY_KEY_REUSED")
	if n.Load() != 1 {
		t.Errorf("a key of another call: asked %d times, want once", n.Load())
	}
}
