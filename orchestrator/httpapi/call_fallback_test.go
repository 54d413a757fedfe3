package httpapi

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAHeaderThatIsSentDoesNotNameAFallback: the stream was opened while the call waited
// for the engine, so only the record and the task's own events can say what answers.
func TestAHeaderThatIsSentDoesNotNameAFallback(t *testing.T) {
	s := serve(t, Options{Streams: Streams{Commit: time.Millisecond}})
	opened := make(chan struct{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		select {
		case <-opened:
		case <-t.Context().Done():
		}
		out.hello()
	})
	s.want(201, "POST", "/v2/catalog/models", `{"id":"big","fallback":["demo"],"digest":"sha256:`+strings.Repeat("0", 64)+`","source_url":"file:x"}`)
	res := s.send(t.Context(), "POST", "/v1/chat/completions", strings.Replace(chat, "demo", "big", 1), "Idempotency-Key", "k")
	close(opened)
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || len(res.Header.Values("X-Model-Used")) > 0 || !strings.Contains(string(text), "hello") {
		t.Errorf("got %d %v %q, %v", res.StatusCode, res.Header, text, err)
	}
	id := res.Header.Get("X-Task-Id")
	testkit.Eventually(t, "the record names the fallback", func() bool {
		task, err := s.o.Task(orchestrator.Who{Identity: "ci"}, id)
		return err == nil && task.State == orchestrator.Completed && task.ModelUsed == "demo" && task.ModelRef == "big"
	})
	if got := s.want(200, "GET", "/v2/tasks/"+id+"/events", ""); !strings.Contains(got, `"model_used":"demo"`) {
		t.Errorf("the task's events do not name it: %s", got)
	}
	again := s.send(t.Context(), "POST", "/v1/chat/completions", strings.Replace(chat, "demo", "big", 1), "Idempotency-Key", "k")
	if got := again.Header.Get("X-Model-Used"); got != "demo" || again.Header.Get("X-Task-Replayed") != "true" {
		t.Errorf("read again: X-Model-Used is %q in %v", got, again.Header)
	}
}

// TestAFallbacksRefusalNamesIt: the engine's own error is an answer, and a node cannot
// name a model that was not used.
func TestAFallbacksRefusalNamesIt(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_REJECTED", Message: "no", Engine: "e", Status: 400, ContentType: "application/json",
			Header: map[string]string{"X-Model-Used": "another"}, Body: []byte(`{"error":{"message":"too long"}}`)})
	})
	s.want(201, "POST", "/v2/catalog/models", `{"id":"big","fallback":["demo"],"digest":"sha256:`+strings.Repeat("0", 64)+`","source_url":"file:x"}`)
	for model, want := range map[string]string{"big": "demo", "demo": ""} {
		res := s.send(t.Context(), "POST", "/v1/chat/completions", strings.Replace(chat, "demo", model, 1))
		if got := res.Header.Get("X-Model-Used"); res.StatusCode != 400 || got != want {
			t.Errorf("%s: got %d, X-Model-Used %q, want %q", model, res.StatusCode, got, want)
		}
	}
}
