package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestACallReachesItsPoolByteForByte(t *testing.T) {
	for name, sent := range map[string]string{
		"small":     "\n { \"messages\" : [ ] ,\t\"model\":\"demo\", \"temperature\": 1.50e0, \"stream\" : true, \"x\":{\"y\":[1,2]} }\r\n",
		"NUL":       `{"model":"demo","stream":true,"messages":[{"content":"a\u0000b"}],"stop":["\u0000"]}`,
		"in pieces": `{"messages":[{"content":"` + strings.Repeat("äx", 500_000) + `"}],"model":"demo","stream":true,"stream_options":{"include_usage":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			seen := make(chan string, 1)
			s.engine("n", 1, func(out frames, r *http.Request, body string) {
				seen <- body
				places, err := nodeapi.ParsePlaces(r.URL.Query().Get("places"), int64(len(body)))
				if got := body[places.Model[0]:places.Model[1]]; err != nil || got != `"demo"` || body[places.Opened-1] != '{' {
					t.Errorf("places: model is %s, %v", got, err)
				}
				if u := places.Usage; u[1] > 0 && body[u[0]:u[1]] != "true" {
					t.Errorf("places: usage is %s", body[u[0]:u[1]])
				}
				if r.Header.Get("Anthropic-Version") != "1" || r.Header.Get("Cookie") != "" {
					t.Errorf("headers: got %v", r.Header)
				}
				out.hello()
			})
			res := s.send(t.Context(), "POST", "/v1/chat/completions", sent, "Anthropic-Version", "1", "Cookie", "c=d")
			text, _ := io.ReadAll(res.Body)
			if want := "data: {\"content\":\"hello\"}\n\ndata: [DONE]\n\n"; string(text) != want {
				t.Errorf("answer: got %q, want %q", text, want)
			}
			if res.StatusCode != 200 {
				t.Fatalf("got %d %s", res.StatusCode, text)
			}
			if got := testkit.Receive(t, seen, "the engine's request"); got != sent {
				t.Errorf("the pool got %d bytes, want %d as they were sent", len(got), len(sent))
			}
			h := res.Header
			if h.Get("Content-Type") != "text/event-stream; charset=utf-8" || h.Get("Openai-Version") != "1" || h.Get("Set-Cookie") != "" || h.Get("Content-Security-Policy") != "sandbox" {
				t.Errorf("header: got %v", h)
			}
			task, err := s.o.Task(orchestrator.Who{Identity: "ci"}, h.Get("X-Task-Id"))
			if err != nil || task.State != orchestrator.Completed || task.TokensOut != 1 || task.Protocol != nodeapi.Chat {
				t.Errorf("record: got %+v, %v", task, err)
			}
			testkit.Eventually(t, "the body is removed", func() bool {
				ids, err := s.store.Content().IDs(t.Context())
				return err == nil && len(ids) == 0
			})
		})
	}
}

func TestARequestWithSeveralReadingsIsRefused(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(frames, *http.Request, string) { t.Error("it reached the pool") })
	long := strings.Repeat("x", 20<<10)
	for body, code := range map[string]string{
		`{`:                               "INVALID_JSON",
		`[]`:                              "INVALID_JSON",
		`{"model":"demo"} x`:              "INVALID_JSON",
		`{"messages":[]}`:                 "MODEL_MISSING",
		`{"model":7}`:                     "MODEL_MISSING",
		`{"model":"demo\u0000"}`:          "INVALID_JSON",
		`{"model\u0000":"demo"}`:          "INVALID_JSON",
		`{"model":""}`:                    "MODEL_MISSING",
		`{"model":"demo","model":"b"}`:    "MEMBER_AMBIGUOUS",
		`{"model":"demo","Model":"b"}`:    "MEMBER_AMBIGUOUS",
		`{"mod\u0065l":"demo","MODEL":1}`: "MEMBER_AMBIGUOUS",
		`{"model":"demo","stream":"yes"}`: "INVALID_MEMBER",
		`{"model":"demo","stream":true,"stream":false}`: "MEMBER_AMBIGUOUS",
		`{"x":"` + long + `","model":"demo","model":1}`: "MEMBER_AMBIGUOUS",
		`{"x":"` + long + `","model":"demo"`:            "INVALID_JSON",
	} {
		if got := s.want(400, "POST", "/v1/chat/completions", body); !strings.Contains(got, `"code":"`+code+`"`) {
			t.Errorf("%.60s: got %s, want %s", body, got, code)
		}
	}
	s.want(415, "POST", "/v1/chat/completions", chat, "Content-Encoding", "gzip")
	s.want(400, "POST", "/v1/chat/completions", chat, "Last-Event-ID", "3")
	for name, values := range map[string][]string{"Content-Encoding": {"identity", "gzip"}, "Idempotency-Key": {"a", "b"}, "Last-Event-ID": {"0", "7"}, "X-Deadline-Ms": {"5000", "1"}} {
		if got := s.twice("/v1/chat/completions", chat, name, values); got.StatusCode != 415 && got.StatusCode != 422 {
			t.Errorf("%s %q: got %s", name, values, got.Status)
		}
	}
	s.want(404, "POST", "/v1/chat/completions", strings.Replace(chat, "demo", "other", 1))
	s.want(404, "POST", "/v1/chat/completions", strings.Replace(chat, "demo", "other", 1), "Content-Encoding", "Identity")
	if ids, err := s.store.Content().IDs(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("bodies of refused calls: %v, %v", ids, err)
	}
	if page, err := s.o.Tasks(orchestrator.Who{Admin: true}, "", 9, ""); err != nil || len(page.Tasks) > 0 {
		t.Errorf("tasks of refused calls: %v, %v", page.Tasks, err)
	}
}

func TestABodyOverTheLimitLeavesNothing(t *testing.T) {
	s := serveWith(t, Options{}, orchestrator.Settings{RequestBytes: 1 << 20})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	body := func(n int) string { return `{"model":"demo","stream":true,"x":"` + strings.Repeat("x", n) + `"}` }
	if got := s.want(413, "POST", "/v1/chat/completions", body(1<<20)); !strings.Contains(got, "BODY_TOO_LARGE") {
		t.Errorf("got %s", got)
	}
	s.want(200, "POST", "/v1/chat/completions", body(1<<20-40))
	testkit.Eventually(t, "no body is left", func() bool {
		ids, err := s.store.Content().IDs(t.Context())
		return err == nil && len(ids) == 0
	})
}

// TestAnErrorKeepsItsClass is a table of what the engine answered, and when.
func TestAnErrorKeepsItsClass(t *testing.T) {
	refusal := nodeapi.CallError{Code: "ENGINE_REJECTED", Message: "too long", Engine: "e", Status: 400, ContentType: "application/json", Body: []byte(`{"error":{"code":"context_length_exceeded"}}`)}
	with := func(status int, code string) nodeapi.CallError {
		e := refusal
		e.Status, e.Code = status, code
		return e
	}
	for name, c := range map[string]struct {
		failure nodeapi.CallError
		status  int
		body    string
	}{
		"400":               {refusal, 400, `{"error":{"code":"context_length_exceeded"}}`},
		"404":               {with(404, "ENGINE_REJECTED"), 404, `{"error":{"code":"context_length_exceeded"}}`},
		"413":               {with(413, "ENGINE_REJECTED"), 413, `context_length_exceeded`},
		"422":               {with(422, "ENGINE_REJECTED"), 422, `context_length_exceeded`},
		"500 of both pools": {with(500, "ENGINE_ERROR"), 500, `context_length_exceeded`},
		"401":               {nodeapi.CallError{Code: "ENGINE_REFUSED", Message: "the engine refused the credential", Status: 502}, 502, "ENGINE_REFUSED"},
		"no status":         {nodeapi.CallError{Code: "ENGINE_ERROR", Message: "the engine's answer is no JSON"}, 502, "no JSON"},
	} {
		for _, stream := range []string{"true", "false"} {
			t.Run(name+", stream "+stream, func(t *testing.T) {
				s := serve(t, Options{})
				for _, node := range []string{"n", "m"} {
					s.engine(node, 1, func(out frames, _ *http.Request, _ string) { out.value(nodeapi.FrameError, c.failure) })
				}
				if got := s.want(c.status, "POST", "/v1/chat/completions", strings.Replace(chat, "true", stream, 1)); !strings.Contains(got, c.body) {
					t.Errorf("got %s, want %s in it", got, c.body)
				}
			})
		}
	}
}

func TestAnEngineThatFailsIsFollowedByAnother(t *testing.T) {
	s := serve(t, Options{})
	tries := make(chan string, 9)
	for _, node := range []string{"n", "m"} {
		s.engine(node, 1, func(out frames, _ *http.Request, _ string) {
			if tries <- node; len(tries) == 1 {
				out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_ERROR", Message: "oops", Status: 500, Body: []byte("oops")})
				return
			}
			out.hello()
		})
	}
	s.want(200, "POST", "/v1/chat/completions", chat)
	if a, b := testkit.Receive(t, tries, "a try of the task"), testkit.Receive(t, tries, "a try of the task"); a == b || len(tries) > 0 {
		t.Errorf("asked %s, then %s, then %d more", a, b, len(tries))
	}
}

// TestAStreamThatBreaksEndsWithTheProtocolsError: after the first byte there is no
// proper end, and the record says failed.
func TestAStreamThatBreaksEndsWithTheProtocolsError(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/chat/completions": `data: {"code":"ENGINE_ERROR","code_number":50201,"engine_status":502,"error":{"code":"ENGINE_ERROR","message":"CUDA error",`,
		"/v1/messages":         "event: error\ndata: {\"error\":{\"code\":\"ENGINE_ERROR\",\"code_number\":50201,\"engine_status\":502,\"hint\":\"CUDA error\",\"message\":\"CUDA error\",\"type\":\"api_error\"}",
		"/v1/responses":        "event: error\ndata: {\"code\":\"ENGINE_ERROR\",\"engine_status\":502,\"message\":\"CUDA error\"",
		"/api/chat":            `{"code":"ENGINE_ERROR","code_number":50201,"engine_status":502,"error":"CUDA error"`,
	} {
		s := serve(t, Options{})
		s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
			out.head("text/event-stream")
			out.send(nodeapi.FrameData, "data: {}\n\n")
			out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_ERROR", Message: "CUDA error", Engine: "e", TokensOut: 7})
		})
		res := s.send(t.Context(), "POST", path, chat)
		text, _ := io.ReadAll(res.Body)
		first, rest, _ := strings.Cut(string(text), "\n\n")
		if res.StatusCode != 200 || first != "data: {}" || !strings.HasPrefix(rest, want) || strings.Contains(rest, "DONE") {
			t.Errorf("%s: got %d %q, want %q", path, res.StatusCode, text, want)
		}
		task, err := s.o.Task(orchestrator.Who{Identity: "ci"}, res.Header.Get("X-Task-Id"))
		if err != nil || task.State != orchestrator.Failed || task.TokensOut != 7 {
			t.Errorf("%s: record %+v, %v", path, task, err)
		}
	}
}

// TestTheStatusWaitsForTheEngine has an engine that takes longer than the status may
// wait: what comes afterwards is part of the stream.
func TestTheStatusWaitsForTheEngine(t *testing.T) {
	s := serve(t, Options{Streams: Streams{Commit: 50 * time.Millisecond, Heartbeat: 20 * time.Millisecond}})
	goOn := make(chan struct{})
	s.engine("n", 1, func(out frames, r *http.Request, body string) {
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_REJECTED", Message: "too long", Status: 400, ContentType: "application/json", Body: []byte(`{}`)})
	})
	for path, alive := range map[string]string{"/v1/chat/completions": ": alive\n", "/v1/messages": "event: ping\n"} {
		res := s.send(t.Context(), "POST", path, chat)
		lines := bufio.NewReader(res.Body)
		line, err := lines.ReadString('\n')
		if res.StatusCode != 200 || err != nil || line != alive {
			t.Errorf("%s: got %d %q, %v, want %q", path, res.StatusCode, line, err, alive)
		}
		goOn <- struct{}{}
		text, _ := io.ReadAll(lines)
		if !strings.Contains(string(text), `"message":"too long"`) || !strings.Contains(string(text), `"engine_status":400`) {
			t.Errorf("%s: got %q", path, text)
		}
	}
}

func TestACallThatDoesNotStreamIsOneAnswer(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "in many pieces": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			whole := `{"text":"` + strings.Repeat("ö", size/2) + `"}`
			s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
				out.head("application/json")
				for rest := whole; rest != ""; {
					n := min(len(rest), 60001)
					for n < len(rest) && rest[n]&0xc0 == 0x80 {
						n++
					}
					out.send(nodeapi.FrameData, rest[:n])
					rest = rest[n:]
				}
				out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true, Bytes: int64(len(whole))})
			})
			res := s.send(t.Context(), "POST", "/v1/embeddings", `{"model":"demo","input":"x"}`)
			text, err := io.ReadAll(res.Body)
			if err != nil || string(text) != whole || res.ContentLength != int64(len(whole)) || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d bytes of %d (Content-Length %d), %v, %v", len(text), len(whole), res.ContentLength, res.Header, err)
			}
		})
	}
}

// TestACallGoesOnWhereItsReaderLeft reads some events, hangs up, and comes back with the
// same key.
func TestACallGoesOnWhereItsReaderLeft(t *testing.T) {
	s := serve(t, Options{})
	const events = 40
	goOn := make(chan struct{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.head("text/event-stream")
		for i := range events {
			out.send(nodeapi.FrameData, fmt.Sprintf("event: e\ndata: {\"i\":%d}\n\n", i))
			if i == events/2 {
				<-goOn
			}
		}
		out.send(nodeapi.FrameLast, "data: [DONE]\n\n")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	ctx, leave := context.WithCancel(t.Context())
	res := s.send(ctx, "POST", "/v1/responses", chat, "Idempotency-Key", "k")
	lines, id, seen := bufio.NewScanner(res.Body), "", 0
	for seen < 5 && lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			id = n
			seen++
		}
	}
	leave()
	close(goOn)
	again := s.send(t.Context(), "POST", "/v1/responses", chat, "Idempotency-Key", "k", "Last-Event-ID", id)
	rest, _ := io.ReadAll(again.Body)
	for i := range events {
		if got, want := strings.Contains(string(rest), fmt.Sprintf("data: {\"i\":%d}\n", i)), i >= seen; got != want {
			t.Errorf("event %d after %d were read: is there %v, want %v", i, seen, got, want)
		}
	}
	if !strings.Contains(string(rest), "[DONE]") {
		t.Errorf("no end: %q", rest)
	}
	if got := s.want(200, "GET", "/v2/tasks/"+res.Header.Get("X-Task-Id")+"/events", ""); !strings.Contains(got, `event: chunk`+"\n"+`data: {"event":"e","data":"{\"i\":0}"}`) {
		t.Errorf("the task's own stream: got %q", got)
	}
	s.want(409, "POST", "/v1/responses", strings.Replace(chat, `"x"`, `"y"`, 1), "Idempotency-Key", "k")
}

func TestAPoolOfAnOlderVersionGetsNoCall(t *testing.T) {
	s := serve(t, Options{})
	s.pool(1, func(func(nodeapi.Event), *http.Request) { t.Error("it was asked") })
	got := s.want(422, "POST", "/v1/chat/completions", chat)
	if !strings.Contains(got, `"code":"PROTOCOL_NOT_SERVED"`) || !strings.Contains(got, "chat") || !strings.Contains(got, "n/p") {
		t.Errorf("got %s, want the protocol and the pool", got)
	}
}

// TestATaskTakesANativeRequest queues a chat durably and reads it later.
func TestATaskTakesANativeRequest(t *testing.T) {
	s := serve(t, Options{})
	seen := make(chan string, 1)
	s.engine("n", 1, func(out frames, _ *http.Request, body string) { seen <- body; out.hello() })
	native := `{ "model":"demo",  "stream":true,"messages":[{"role":"user","content":"x"}]}`
	var a orchestrator.Admission
	if err := json.Unmarshal([]byte(s.want(202, "POST", "/v2/tasks", `{"native":{"protocol":"chat","body":`+native+`},"priority":"batch"}`)), &a); err != nil {
		t.Fatal(err)
	}
	if got := s.want(200, "GET", "/v2/tasks/"+a.TaskID+"/events", ""); !strings.Contains(got, "event: chunk\ndata: {\"data\":\"{\\\"content\\\":\\\"hello\\\"}\"}") || !strings.Contains(got, "event: chunk\ndata: {\"data\":\"[DONE]\"}") || !strings.Contains(got, "event: end") {
		t.Errorf("events: got %s", got)
	}
	if got := testkit.Receive(t, seen, "the engine's request"); got != native {
		t.Errorf("the pool got %q, want %q", got, native)
	}
	for body, status := range map[string]int{
		`{"model_ref":"other","native":{"protocol":"chat","body":` + native + `}}`: 422,
		`{"prompt":"x","native":{"protocol":"chat","body":` + native + `}}`:        422,
		`{"max_tokens":1,"native":{"protocol":"chat","body":` + native + `}}`:      422,
		`{"native":{"protocol":"smoke","body":` + native + `}}`:                    422,
		`{"native":{"protocol":"chat","body":{"model":"demo","model":"b"}}}`:       400,
		`{"model_ref":"demo","workload":"native"}`:                                 422,
		`{"native":{"protocol":"chat","body":{"messages":[]}}}`:                    400,
		`{"prompt":"x"}`: 422,
	} {
		s.want(status, "POST", "/v2/tasks", body)
	}
	s.want(204, "DELETE", "/v2/tasks/"+a.TaskID, "")
	if got := s.want(200, "GET", "/v2/tasks/"+a.TaskID+"/events", ""); strings.Contains(got, "hello") || !strings.Contains(got, "event: gap") {
		t.Errorf("after the erasure: got %s", got)
	}
}

// TestTheAnswerToACallWithoutAKeyIsErased a while after its end; with a key it is kept.
func TestTheAnswerToACallWithoutAKeyIsErased(t *testing.T) {
	s := serveWith(t, Options{}, orchestrator.Settings{KeepContent: time.Millisecond})
	s.engine("n", 2, func(out frames, _ *http.Request, _ string) { out.hello() })
	events := func(key string) func() bool {
		id := s.send(t.Context(), "POST", "/v1/chat/completions", chat, "Idempotency-Key", key).Header.Get("X-Task-Id")
		return func() bool {
			return strings.Contains(s.want(200, "GET", "/v2/tasks/"+id+"/events", ""), "hello")
		}
	}
	kept, erased := events("k"), events("")
	testkit.Eventually(t, "the answer without a key is gone", func() bool { return !erased() })
	if !kept() {
		t.Error("the answer with a key is gone, too")
	}
}
