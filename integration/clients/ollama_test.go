package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ollama/ollama/api"
)

// bearer adds the token: Ollama's client knows none of its own for other servers.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// ollama is Ollama's client.
func (s site) ollama(t *testing.T, token string) *api.Client {
	t.Helper()
	return s.ollamaOver(t, bearer(token))
}

func (s site) ollamaOver(t *testing.T, transport http.RoundTripper) *api.Client {
	t.Helper()
	base, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	return api.NewClient(base, &http.Client{Transport: transport, Timeout: limit})
}

func ollamaParams(stream bool, messages ...api.Message) *api.ChatRequest {
	if len(messages) == 0 {
		messages = []api.Message{{Role: "user", Content: hello, Images: []api.ImageData{[]byte(pixel)}}}
	}
	return &api.ChatRequest{Model: "demo", Messages: messages, Stream: &stream, Options: map[string]any{"num_predict": 9}}
}

// chatted gives the lines of an answer and all of its text.
func chatted(ctx context.Context, c *api.Client, q *api.ChatRequest) (lines []api.ChatResponse, all api.Message, err error) {
	err = c.Chat(ctx, q, func(line api.ChatResponse) error {
		lines = append(lines, line)
		all.Role = line.Message.Role
		all.Content += line.Message.Content
		all.ToolCalls = append(all.ToolCalls, line.Message.ToolCalls...)
		return nil
	})
	return lines, all, err
}

func ollamaChat(t *testing.T, s site) {
	c := s.ollama(t, s.user)
	whole, text, err := chatted(t.Context(), c, ollamaParams(false))
	if err != nil || len(whole) != 1 {
		t.Fatalf("whole: got %+v, %v, want one line", whole, err)
	}
	streamed, again, err := chatted(t.Context(), c, ollamaParams(true))
	if err != nil || len(streamed) != 10 || again.Content != text.Content || !strings.HasPrefix(text.Content, "[demo]") {
		t.Fatalf("streamed: got %d lines and %q, %v, want 10 and %q", len(streamed), again.Content, err, text.Content)
	}
	for how, last := range map[string]api.ChatResponse{"whole": whole[0], "streamed": streamed[9]} {
		if !last.Done || last.DoneReason != "length" || last.EvalCount != 9 || last.PromptEvalCount == 0 || last.Model != "demo" {
			t.Errorf("%s: last line: got %+v", how, last)
		}
	}
}

func ollamaTools(t *testing.T, s site) {
	c := s.ollama(t, s.user)
	var tool api.Tool
	text, err := json.Marshal(map[string]any{"type": "function", "function": map[string]any{"name": "weather", "parameters": weather}})
	if err == nil {
		err = json.Unmarshal(text, &tool)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range []bool{false, true} {
		q := ollamaParams(stream)
		q.Tools, q.Options = api.Tools{tool}, nil
		_, first, err := chatted(t.Context(), c, q)
		if err != nil || len(first.ToolCalls) != 1 || first.ToolCalls[0].Function.Name != "weather" || first.ToolCalls[0].Function.Arguments.Len() != 3 {
			t.Fatalf("stream = %v: got %+v, %v, want a call", stream, first, err)
		}
		q = ollamaParams(stream, q.Messages[0], first, api.Message{Role: "tool", Content: "21 degrees", ToolName: "weather"})
		q.Tools = api.Tools{tool}
		if _, second, err := chatted(t.Context(), c, q); err != nil || !strings.HasPrefix(second.Content, "[demo]") || len(second.ToolCalls) > 0 {
			t.Errorf("stream = %v: second turn: got %+v, %v, want text", stream, second, err)
		}
	}
}

func ollamaGenerate(t *testing.T, s site) {
	c := s.ollama(t, s.user)
	texts := map[bool]string{}
	for _, stream := range []bool{false, true} {
		var last api.GenerateResponse
		err := c.Generate(t.Context(), &api.GenerateRequest{Model: "demo", Prompt: hello, Stream: &stream}, func(line api.GenerateResponse) error {
			texts[stream] += line.Response
			last = line
			return nil
		})
		if err != nil || !last.Done || last.EvalCount == 0 || last.Model != "demo" {
			t.Errorf("stream = %v: last line: got %+v, %v", stream, last, err)
		}
	}
	if texts[false] != texts[true] || !strings.HasPrefix(texts[true], "[demo]") {
		t.Errorf("texts: got %v", texts)
	}
}

func ollamaStructured(t *testing.T, s site) {
	schema, err := json.Marshal(weather)
	if err != nil {
		t.Fatal(err)
	}
	q := ollamaParams(true)
	q.Format, q.Options = schema, nil
	_, all, err := chatted(t.Context(), s.ollama(t, s.user), q)
	if err != nil {
		t.Fatal(err)
	}
	checkWeather(t, all.Content)
}

func ollamaOthers(t *testing.T, s site) {
	c := s.ollama(t, s.user)
	if err := c.Heartbeat(t.Context()); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	if got, err := c.Version(t.Context()); err != nil || got == "" {
		t.Errorf("version: got %q, %v", got, err)
	}
	if got, err := c.List(t.Context()); err != nil || len(got.Models) != 1 || got.Models[0].Name != "demo:latest" || len(got.Models[0].Digest) != 64 || got.Models[0].ModifiedAt.Year() != 2025 {
		t.Errorf("list: got %+v, %v, want demo:latest", got, err)
	}
	if got, err := c.ListRunning(t.Context()); err != nil || len(got.Models) != 1 || len(got.Models[0].Digest) != 64 || got.Models[0].ExpiresAt.Year() != 2300 || got.Models[0].ContextLength == 0 {
		t.Errorf("running: got %+v, %v, want one", got, err)
	}
	if got, err := c.Show(t.Context(), &api.ShowRequest{Model: "demo"}); err != nil || len(got.Capabilities) == 0 || got.ModelInfo["general.architecture"] != "demo" {
		t.Errorf("show: got %+v, %v", got, err)
	}
	//lint:ignore SA1019 the older member is what is tried
	if _, err := c.Show(t.Context(), &api.ShowRequest{Model: "demo", Name: "other"}); err == nil || !strings.Contains(err.Error(), "one value") {
		t.Errorf("show by two names: got %v, want a refusal", err)
	}
	if got, err := c.Embed(t.Context(), &api.EmbedRequest{Model: "demo", Input: []string{"one", "two words"}}); err != nil || len(got.Embeddings) != 2 || got.PromptEvalCount != 3 || got.Model != "demo" {
		t.Errorf("embed: got %+v, %v", got, err)
	}
	if got, err := c.Embeddings(t.Context(), &api.EmbeddingRequest{Model: "demo", Prompt: "one"}); err != nil || len(got.Embedding) != 64 {
		t.Errorf("embeddings, the older route: got %+v, %v, want 64 numbers", got, err)
	}
}

func ollamaErrors(t *testing.T, s site) {
	denied := ollamaParams(false)
	unknown := ollamaParams(false)
	unknown.Model = "nope"
	long := ollamaParams(false, api.Message{Role: "user", Content: strings.Repeat("x ", 140_000)})
	for what, c := range map[string]struct {
		token  string
		q      *api.ChatRequest
		status int
		word   string
	}{
		"a token without it": {s.other, denied, 403, " "},
		"an unknown model":   {s.user, unknown, 404, "model"},
		"too long a prompt":  {s.user, long, 400, "maximum context length"},
	} {
		for _, stream := range []bool{false, true} {
			q := *c.q
			q.Stream = &stream
			_, _, err := chatted(t.Context(), s.ollama(t, c.token), &q)
			if got, ok := errors.AsType[api.StatusError](err); !ok || got.StatusCode != c.status || !strings.Contains(got.ErrorMessage, c.word) {
				t.Errorf("%s, stream = %v: got %v, want %d and %q", what, stream, err, c.status, c.word)
			}
		}
	}
	_, _, err := chatted(t.Context(), s.ollama(t, authRandom()), denied)
	if got, ok := errors.AsType[api.AuthorizationError](err); !ok || got.StatusCode != 401 {
		t.Errorf("a wrong token: got %v, want 401", err)
	}
}
