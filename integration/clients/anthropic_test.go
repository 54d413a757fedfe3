package clients_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
)

// anthropic is Anthropic's client as its users make it, with its x-api-key.
func (s site) anthropic(token string) anthropic.Client {
	return anthropic.NewClient(anthropicoption.WithoutEnvironmentDefaults(), anthropicoption.WithBaseURL(s.base), anthropicoption.WithAPIKey(token),
		anthropicoption.WithMaxRetries(0), anthropicoption.WithRequestTimeout(limit))
}

func messageParams(messages ...anthropic.MessageParam) anthropic.MessageNewParams {
	if len(messages) == 0 {
		messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(hello))}
	}
	return anthropic.MessageNewParams{Model: "demo", MaxTokens: 12, Messages: messages}
}

// streamedMessage reads a stream; kinds are the types of its events.
func streamedMessage(t *testing.T, c anthropic.Client, params anthropic.MessageNewParams) (kinds []string, all anthropic.Message) {
	t.Helper()
	stream := c.Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	for stream.Next() {
		ev := stream.Current()
		if len(kinds) == 0 && (ev.Type != "message_start" || ev.Message.Usage.InputTokens == 0 || ev.Message.Model != "demo") {
			t.Errorf("first event: got %s, want message_start with input tokens", ev.RawJSON())
		}
		kinds = append(kinds, ev.Type)
		if err := all.Accumulate(ev); err != nil {
			t.Fatalf("accumulating %s: %v", ev.RawJSON(), err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("reading the stream: %v", err)
	}
	return slices.Compact(kinds), all
}

func anthropicWhole(t *testing.T, s site) {
	c := s.anthropic(s.user)
	got, err := c.Messages.New(t.Context(), messageParams(
		anthropic.NewUserMessage(anthropic.NewTextBlock(hello), anthropic.NewImageBlockBase64("image/png", pixel)),
	))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Content) != 1 || !strings.HasPrefix(got.Content[0].Text, "[demo]") || got.StopReason != anthropic.StopReasonMaxTokens || got.Usage.OutputTokens != 12 || got.Usage.InputTokens == 0 || got.Model != "demo" {
		t.Errorf("got %s", got.RawJSON())
	}
}

func anthropicStreamed(t *testing.T, s site) {
	c := s.anthropic(s.user)
	whole, err := c.Messages.New(t.Context(), messageParams())
	if err != nil {
		t.Fatal(err)
	}
	kinds, got := streamedMessage(t, c, messageParams())
	want := []string{"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
	if !slices.Equal(kinds, want) {
		t.Errorf("events: got %q, want %q", kinds, want)
	}
	if got.Content[0].Text != whole.Content[0].Text || got.StopReason != whole.StopReason || got.Usage.OutputTokens != 12 || got.Usage.InputTokens != whole.Usage.InputTokens {
		t.Errorf("got %+v, want what the whole answer has: %s", got, whole.RawJSON())
	}
}

func anthropicTools(t *testing.T, s site) {
	c := s.anthropic(s.user)
	schema := anthropic.ToolInputSchemaParam{Properties: weather["properties"], Required: []string{"city", "unit", "days"}}
	params := messageParams()
	params.MaxTokens = 100
	params.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(schema, "weather")}
	whole, err := c.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	_, streamed := streamedMessage(t, c, params)
	for how, first := range map[string]anthropic.Message{"whole": *whole, "streamed": streamed} {
		if first.StopReason != anthropic.StopReasonToolUse || len(first.Content) != 1 || first.Content[0].Name != "weather" || first.Content[0].ID == "" {
			t.Fatalf("%s: got %+v, want a call", how, first)
		}
		checkWeather(t, string(first.Content[0].Input))
		next := messageParams(params.Messages[0], first.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(first.Content[0].ID, "21 degrees", false)))
		next.Tools = params.Tools
		second, err := c.Messages.New(t.Context(), next)
		if err != nil || len(second.Content) != 1 || !strings.HasPrefix(second.Content[0].Text, "[demo]") {
			t.Errorf("%s: second turn: got %+v, %v, want text", how, second, err)
		}
	}
}

func anthropicCount(t *testing.T, s site) {
	c := s.anthropic(s.user)
	got, err := c.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{Model: "demo", Messages: messageParams().Messages})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Messages.New(t.Context(), messageParams())
	if err != nil || got.InputTokens != answer.Usage.InputTokens {
		t.Errorf("counted %d, %v; the answer has %+v", got.InputTokens, err, answer)
	}
}

func wantAnthropicError(t *testing.T, what string, err error, status int, kind anthropic.ErrorType, word string) {
	t.Helper()
	got, _ := errors.AsType[*anthropic.Error](err)
	switch {
	case got == nil:
		t.Errorf("%s: got %v, want an error of the API", what, err)
	case got.StatusCode != status || got.Type() != kind || !strings.Contains(got.Error(), word) || !strings.Contains(got.Message, " "):
		t.Errorf("%s: got %s (%q, %q), want %d %s and %q in it", what, got, got.Type(), got.Message, status, kind, word)
	case got.RequestID == "":
		t.Errorf("%s: the answer has no request-id", what)
	}
}

func anthropicErrors(t *testing.T, s site) {
	for what, c := range map[string]struct {
		token  string
		change func(*anthropic.MessageNewParams)
		status int
		kind   anthropic.ErrorType
		word   string
	}{
		"a wrong token":      {authRandom(), func(*anthropic.MessageNewParams) {}, 401, "authentication_error", ""},
		"a token without it": {s.other, func(*anthropic.MessageNewParams) {}, 403, "permission_error", ""},
		"an unknown model":   {s.user, func(p *anthropic.MessageNewParams) { p.Model = "nope" }, 404, "not_found_error", "MODEL_NOT_AVAILABLE"},
		"no messages":        {s.user, func(p *anthropic.MessageNewParams) { p.Messages = []anthropic.MessageParam{} }, 400, "invalid_request_error", "at least one message"},
	} {
		params := messageParams()
		c.change(&params)
		client := s.anthropic(c.token)
		_, err := client.Messages.New(t.Context(), params)
		wantAnthropicError(t, what, err, c.status, c.kind, c.word)
		stream := client.Messages.NewStreaming(t.Context(), params)
		stream.Next()
		wantAnthropicError(t, what+", streamed", stream.Err(), c.status, c.kind, c.word)
	}
}

func anthropicRefusedOnce(t *testing.T, s site) {
	key := anthropicoption.WithHeader("Idempotency-Key", authRandom())
	c := s.anthropic(s.user)
	params := messageParams()
	if _, err := c.Messages.New(t.Context(), params, key); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	params.MaxTokens++
	_, err := c.Messages.New(t.Context(), params, key, anthropicoption.WithMaxRetries(2), anthropicoption.WithMiddleware(
		func(r *http.Request, next anthropicoption.MiddlewareNext) (*http.Response, error) {
			n.Add(1)
			return next(r)
		}))
	if failed, _ := errors.AsType[*anthropic.Error](err); failed == nil || failed.StatusCode != 409 || n.Load() != 1 {
		t.Errorf("a key of another call: got %v after %d requests, want 409 after one", err, n.Load())
	}
}
