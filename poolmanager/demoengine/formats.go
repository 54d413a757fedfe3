package demoengine

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	w.Header().Set("Content-Type", "text/event-stream")
	return &eventWriter{w, http.NewResponseController(w)}
}

func (e *eventWriter) send(body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return e.raw(encoded)
}

func (e *eventWriter) close() { _ = e.raw([]byte("[DONE]")) }

func (e *eventWriter) raw(data []byte) error {
	if _, err := fmt.Fprintf(e.w, "data: %s\n\n", data); err != nil {
		return err
	}
	return e.control.Flush()
}

// completion is llama.cpp's own route.
func (e *engine) completion(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Prompt   string   `json:"prompt"`
		NPredict int      `json:"n_predict"`
		Seed     int64    `json:"seed"`
		Stop     []string `json:"stop"`
		Stream   bool     `json:"stream"`
	}
	if !read(w, r, &request) {
		return
	}
	whole := func(d result, content string) map[string]any {
		kind := "word"
		if d.cut {
			kind = "limit"
		}
		return map[string]any{"content": content, "stop": true, "stop_type": kind, "model": e.settings.model,
			"tokens_predicted": d.tokensOut, "tokens_evaluated": d.tokensIn,
			"timings": map[string]any{"predicted_ms": float64(d.took.Microseconds()) / 1000}}
	}
	e.run(w, r, job{request.Prompt, limit(request.NPredict), request.Seed, request.Stop, request.Stream, format{
		piece: func(token string, _ int) any { return map[string]any{"content": token, "stop": false} },
		last:  func(d result) []any { return []any{whole(d, "")} },
		whole: func(d result) any { return whole(d, d.text) },
	}})
}

type openAIRequest struct {
	Prompt        string          `json:"prompt"`
	Messages      []chatMessage   `json:"messages"`
	MaxTokens     int             `json:"max_tokens"`
	Seed          int64           `json:"seed"`
	Stop          json.RawMessage `json:"stop"`
	Stream        bool            `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// stopWords accepts both of OpenAI's forms: one text or a list.
func (r openAIRequest) stopWords() []string {
	var many []string
	if json.Unmarshal(r.Stop, &many) == nil {
		return many
	}
	var one string
	_ = json.Unmarshal(r.Stop, &one) // anything else stops nothing
	return []string{one}
}

func (e *engine) textCompletion(w http.ResponseWriter, r *http.Request) {
	var request openAIRequest
	if read(w, r, &request) {
		e.openAI(w, r, request, request.Prompt, "text_completion", func(text string, _ bool) map[string]any {
			return map[string]any{"text": text}
		})
	}
}

func (e *engine) chatCompletion(w http.ResponseWriter, r *http.Request) {
	var request openAIRequest
	if !read(w, r, &request) {
		return
	}
	var prompt strings.Builder
	for _, m := range request.Messages {
		fmt.Fprintf(&prompt, "%s: %s\n", m.Role, m.Content)
	}
	e.openAI(w, r, request, prompt.String(), "chat.completion", func(text string, streamed bool) map[string]any {
		if streamed {
			return map[string]any{"delta": map[string]string{"content": text}}
		}
		return map[string]any{"message": map[string]string{"role": "assistant", "content": text}}
	})
}

func (e *engine) openAI(w http.ResponseWriter, r *http.Request, q openAIRequest, prompt, object string, choice func(string, bool) map[string]any) {
	body := func(object, text string, streamed bool, finish any) map[string]any {
		c := choice(text, streamed)
		c["index"], c["finish_reason"] = 0, finish
		return map[string]any{"id": "demo", "object": object, "model": e.settings.model, "choices": []any{c}}
	}
	usage := func(d result) map[string]int {
		return map[string]int{"prompt_tokens": d.tokensIn, "completion_tokens": d.tokensOut, "total_tokens": d.tokensIn + d.tokensOut}
	}
	finish := func(d result) string {
		if d.cut {
			return "length"
		}
		return "stop"
	}
	e.run(w, r, job{prompt, limit(q.MaxTokens), q.Seed, q.stopWords(), q.Stream, format{
		piece: func(token string, _ int) any { return body(object+".chunk", token, true, nil) },
		last: func(d result) []any {
			events := []any{body(object+".chunk", "", true, finish(d))}
			if q.StreamOptions.IncludeUsage {
				events = append(events, map[string]any{"id": "demo", "object": object + ".chunk", "choices": []any{}, "usage": usage(d)})
			}
			return events
		},
		whole: func(d result) any {
			b := body(object, d.text, false, finish(d))
			b["usage"] = usage(d)
			return b
		},
		done: true,
	}})
}
