package demoengine

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// named sends an event with a name.
func (e *eventWriter) named(name string, body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", name, encoded); err != nil {
		return err
	}
	return e.control.Flush()
}

// line sends a line of JSON.
func (e *eventWriter) line(body any) error {
	if err := json.NewEncoder(e.w).Encode(body); err != nil {
		return err
	}
	return e.control.Flush()
}

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
