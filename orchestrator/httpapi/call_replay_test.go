package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A gateway that counts tokens leaves out what was counted before, which a task that still
// runs was not.
func TestOnlyACallThatHasEndedIsMarkedAsReplayed(t *testing.T) {
	s := serve(t, Options{})
	goOn := make(chan struct{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.head("text/event-stream")
		out.send(nodeapi.FrameData, "event: e\ndata: {}\n\n")
		<-goOn
		out.send(nodeapi.FrameLast, "data: [DONE]\n\n")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	first := s.send(t.Context(), "POST", "/v1/responses", chat, "Idempotency-Key", "k")
	joined := s.send(t.Context(), "POST", "/v1/responses", chat, "Idempotency-Key", "k")
	close(goOn)
	for _, res := range []*http.Response{first, joined} {
		if got := res.Header.Get("X-Task-Replayed"); got != "" {
			t.Errorf("while the task runs: X-Task-Replayed %q", got)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	ended := s.send(t.Context(), "POST", "/v1/responses", chat, "Idempotency-Key", "k")
	if got := ended.Header.Get("X-Task-Replayed"); got != "true" {
		t.Errorf("after its end: X-Task-Replayed %q", got)
	}
	if id := first.Header.Get("X-Task-Id"); id != joined.Header.Get("X-Task-Id") || id != ended.Header.Get("X-Task-Id") {
		t.Error("the calls have several tasks")
	}
}

// A task's admission is counted once, however long the task runs.
func TestAReplayedTaskIsMarked(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, r *http.Request, _ string) { <-r.Context().Done() })
	for i, want := range []string{"", "true", "true"} {
		for _, body := range []string{`{"model_ref":"demo","prompt":"x"}`, `{"native":{"protocol":"chat","body":{"model":"demo","messages":[]}}}`} {
			res := s.send(t.Context(), "POST", "/v2/tasks", body, "Idempotency-Key", fmt.Sprint(len(body)))
			if got := res.Header.Get("X-Task-Replayed"); res.StatusCode != 202 || got != want {
				t.Errorf("request %d: got %d, X-Task-Replayed %q, want %q", i+1, res.StatusCode, got, want)
			}
		}
	}
	if res := s.send(t.Context(), "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x"}`); res.Header.Get("X-Task-Replayed") != "" {
		t.Error("a task without a key is marked")
	}
}
