package orchestrator_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAnUnknownFinishReasonIsAFailure: of a task, and in the record of a native call,
// whose answer passes unchanged.
func TestAnUnknownFinishReasonIsAFailure(t *testing.T) {
	for reason, ok := range map[string]bool{
		"stop": true, "length": true, "": true, "eos_token": true, "limit": true,
		"abort": false, "error": false, "cancelled": false, "STOP": false, "content_filter": false, "stop ": false, "a\x1b[2J": false,
	} {
		s := start(t, app.Options{})
		p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
			out.tokens(1)
			out.send(nodeapi.Event{Type: nodeapi.EventEnd, TokensOut: 1, FinishReason: reason})
		})
		s.join("n1", p, 1)
		id := s.submit("")
		s.follow(id, "").rest()
		got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
		if (got["state"] == "completed") != ok || !ok && got["error"].(map[string]any)["code"] != "ENGINE_ERROR" {
			t.Errorf("%q: the record is %v %v", reason, got["state"], got["error"])
		}
		for stream, end := range map[string]string{"false": `"finish_reason":` + strconv.Quote(reason), "true": "data: [DONE]"} {
			res, err := http.DefaultClient.Do(s.request("ci", "infer", "POST", "/v1/completions", `{"model":"demo","prompt":"x","stream":`+stream+`}`))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if reason == "a\x1b[2J" {
				end = strings.ReplaceAll(end, `\x1b`, `\u001b`)
			}
			if res.StatusCode != 200 || !strings.Contains(string(text), end) {
				t.Errorf("%q: stream %s: got %d %s, want it unchanged", reason, stream, res.StatusCode, text)
			}
			known := reason == "stop" || reason == "length" // the pool manager says so
			got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+res.Header.Get("X-Task-Id"), nil)
			if (got["state"] == "completed") != known || !known && got["error"].(map[string]any)["code"] != "FINISH_REASON_UNKNOWN" {
				t.Errorf("%q: the record of the call is %v %v", reason, got["state"], got["error"])
			}
		}
		if want := 3; len(p.calls) != want {
			t.Errorf("%q: the pool was called %d times, want %d: nothing is repeated", reason, len(p.calls), want)
		}
	}
}

// TestAnInvalidEventEndsTheStream: it is not skipped, and the task fails.
func TestAnInvalidEventEndsTheStream(t *testing.T) {
	for name, text := range map[string]string{
		"HTML":                "<html><body>502 Bad Gateway</body></html>\n\n",
		"JSON on its own":     `{"error":"overloaded"}` + "\n\n",
		"broken JSON":         "event: token\ndata: {\"t\":\"x\n\n",
		"data without a name": "data: {\"t\":\"x\",\"i\":1}\n\n",
		"two documents":       "event: token\ndata: {\"t\":\"x\",\"i\":1} {}\n\n",
	} {
		s := start(t, app.Options{})
		s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
			out.tokens(1)
			_, _ = io.WriteString(out.w, text)
			out.end(1)
		}), 1)
		events := s.follow(s.submit(""), "").rest()
		if last := events[len(events)-1]; types(events) != "started token error" || !strings.Contains(last.Data, "OUTPUT_INVALID") {
			t.Errorf("%s: got %q, the last is %v", name, types(events), last)
		}
	}
}

// TestAnAnswerThatIsNoStreamIsReportedInItsWords: the pool's text is in the task's error.
func TestAnAnswerThatIsNoStreamIsReportedInItsWords(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(out.w, "<h1>Welcome to nginx!\x1b[2J</h1>")
	}), 1)
	id := s.submit("")
	s.follow(id, "").rest()
	failure := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["error"].(map[string]any)
	if text := fmt.Sprint(failure["message"]); !strings.Contains(text, `"text/html"`) || !strings.Contains(text, "Welcome to nginx![2J") {
		t.Errorf("got %v, want the content type and the words", failure)
	}
}

// TestAStopIsReportedAsAStop, not as the loss of a healthy worker.
func TestAStopIsReportedAsAStop(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); <-out.gone }), 1)
	id := s.submit("")
	events := s.follow(id, "")
	for ev, ok := events.next(); ok && ev.Type != "token"; ev, ok = events.next() {
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = start(t, app.Options{StateDir: dir})
	failure := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["error"].(map[string]any)
	if failure["code"] != "WORKER_RESET" || failure["message"] != "the orchestrator stopped after the first token" {
		t.Errorf("got %v", failure)
	}
}
