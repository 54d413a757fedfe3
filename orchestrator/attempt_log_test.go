package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// An engine's error may repeat what the client sent or a part of the answer. The log has the
// code and a message of ours, the record has the engine's words, and the code that the
// engine chose is no label.
func TestTheLogOfAFailedTaskHasNoWordsOfTheEngine(t *testing.T) {
	const said = "canary of the prompt"
	var log testkit.Buffer
	s := start(t, app.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.send(nodeapi.Event{Type: nodeapi.EventError, Code: "CHOSEN_BY_THE_ENGINE", Message: said, Engine: "demo"})
	}), 1)
	id := s.submit("")
	s.follow(id, "").rest()
	if failure := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["error"].(map[string]any); failure["message"] != said {
		t.Errorf("the record says %q, want the engine's words", failure["message"])
	}
	var end map[string]any
	testkit.Eventually(t, "the end is logged", func() bool {
		for line := range strings.Lines(log.String()) {
			end = nil
			if json.Unmarshal([]byte(line), &end) == nil && end["msg"] == "task ended" {
				return true
			}
		}
		return false
	})
	if end["code"] != "CHOSEN_BY_THE_ENGINE" || end["message"] != "the engine answered with an error" || end["state"] != "failed" {
		t.Errorf("the log says %v", end)
	}
	if strings.Contains(log.String(), said) {
		t.Error("the log has the engine's words")
	}
	text := s.metrics()
	for _, want := range []string{`llorch_tasks_failed_total{code="other"} 1`, `llorch_tasks_ended_total{state="failed"} 1`} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("the metrics have no line %s", want)
		}
	}
	if strings.Contains(text, "CHOSEN_BY_THE_ENGINE") {
		t.Error("an engine's code is a label")
	}
}

// A pool that asks for a later retry, or answers with something else, is logged without the
// words that came with it.
func TestTheLogOfARetriedDispatchHasNoWordsOfTheNode(t *testing.T) {
	const said = "canary of the prompt"
	for name, c := range map[string]struct {
		first func(*sink)
		want  string
	}{
		"a busy engine": {func(out *sink) {
			out.send(nodeapi.Event{Type: nodeapi.EventError, Code: "ENGINE_BUSY", Message: said, Engine: "demo", RetryAfterMS: 1})
		}, "the engine is busy"},
		"a refusal": {func(out *sink) {
			out.w.WriteHeader(503)
			fmt.Fprintf(out.w, `{"code":"POOL_BUSY","hint":%q}`, said)
		}, "the pool manager answered 503 POOL_BUSY"},
		"a page": {func(out *sink) {
			out.w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(out.w, said)
		}, "the answer is not one of a pool manager"},
		"what is not HTTP": {func(out *sink) {
			conn, _, err := http.NewResponseController(out.w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(conn, said+"\r\n\r\n")
			conn.Close()
		}, "the connection failed, or the answer is not HTTP"},
		"a trailer that is no header": {func(out *sink) {
			conn, _, err := http.NewResponseController(out.w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n", said)
			conn.Close()
		}, "reading the task's stream: unexpected EOF (the answer is not HTTP)"},
	} {
		t.Run(name, func(t *testing.T) {
			var log testkit.Buffer
			var asked atomic.Bool
			s := start(t, app.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
			s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
				if asked.CompareAndSwap(false, true) {
					c.first(out)
					return
				}
				out.tokens(1)
				out.end(1)
			}), 1)
			s.follow(s.submit(""), "").rest()
			if text := log.String(); !strings.Contains(text, `"error":"`+c.want+`"`) || strings.Contains(text, said) {
				t.Errorf("the log says\n%s", text)
			}
		})
	}
}
