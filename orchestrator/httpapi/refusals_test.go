package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestCallsThatCannotBeAreRefused in words of the API, before anything is queued.
func TestCallsThatCannotBeAreRefused(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(_ frames, r *http.Request, _ string) {
		if strings.Contains(r.URL.Path, "/call/") {
			t.Errorf("it reached the pool as %s", r.URL.Path)
		}
	})
	many := []string{}
	for i := range 33 {
		many = append(many, fmt.Sprint("Openai-", i), "x")
	}
	for name, c := range map[string]struct {
		path, body string
		header     []string
		status     int
		code       string
	}{
		"a long header":                  {"/v1/chat/completions", chat, []string{"Openai-Beta", strings.Repeat("x", 8<<10)}, 400, "HEADERS_TOO_LARGE"},
		"many headers":                   {"/v1/chat/completions", chat, many, 400, "HEADERS_TOO_LARGE"},
		"an event id of 67 bits":         {"/v1/chat/completions", chat, []string{"Idempotency-Key", "k", "Last-Event-ID", "99999999999999999999"}, 422, "INVALID_EVENT_ID"},
		"the last event id there can be": {"/v1/chat/completions", chat, []string{"Idempotency-Key", "k", "Last-Event-ID", "18446744073709551615"}, 422, "INVALID_EVENT_ID"},
		"an event id without a key":      {"/v1/chat/completions", chat, []string{"Last-Event-ID", "3"}, 400, "KEY_MISSING"},
		"a body in gzip":                 {"/v1/chat/completions", chat, []string{"Content-Encoding", "gzip"}, 415, "CONTENT_ENCODING"},
		"two names of the model":         {"/api/chat", `{"model":"demo","name":"other","messages":[]}`, nil, 400, "MEMBER_AMBIGUOUS"},
		"a name that is a number":        {"/api/chat", `{"model":"demo","name":7,"messages":[]}`, nil, 400, "MEMBER_AMBIGUOUS"},
		"a response that is a number":    {"/v1/responses", `{"model":"demo","previous_response_id":7}`, nil, 400, "INVALID_MEMBER"},
		"a response without a name":      {"/v1/responses", `{"model":"demo","previous_response_id":""}`, nil, 400, "INVALID_MEMBER"},
		"in the background":              {"/v1/responses", `{"model":"demo","background":true}`, nil, 400, "MEMBER_NOT_ALLOWED"},
		"a conversation":                 {"/v1/responses", `{"model":"demo","conversation":"conv_1"}`, nil, 400, "MEMBER_NOT_ALLOWED"},
	} {
		if got := s.want(c.status, "POST", c.path, c.body, c.header...); !strings.Contains(got, `"`+c.code+`"`) {
			t.Errorf("%s: got %s, want %s", name, got, c.code)
		}
	}
	id := s.submit()
	for _, after := range []string{"99999999999999999999", "18446744073709551615"} {
		if got := s.want(422, "GET", "/v2/tasks/"+id+"/events", "", "Last-Event-ID", after); !strings.Contains(got, `"INVALID_EVENT_ID"`) {
			t.Errorf("after %s: got %s, want INVALID_EVENT_ID", after, got)
		}
	}
}

// TestABodyThatEndsEarlyIsTheClientsError, told to one that still reads.
func TestABodyThatEndsEarlyIsTheClientsError(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(frames, *http.Request, string) { t.Error("it reached the pool") })
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n%s", chat[:20])
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string, 1)
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		answered <- fmt.Sprintf("%d %s %v", res.StatusCode, text, err)
	}()
	if got := testkit.Receive(t, answered, "the answer"); !strings.HasPrefix(got, "400 ") || !strings.Contains(got, `"BODY_CUT"`) {
		t.Errorf("got %s, want 400 BODY_CUT", got)
	}
}

// TestAnErasedAnswerIsNotGivenAgain: its key is known, and what it named is gone.
func TestAnErasedAnswerIsNotGivenAgain(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	for name, body := range map[string]string{"streamed": chat, "whole": strings.Replace(chat, `"stream":true`, `"stream":false`, 1)} {
		first := s.send(t.Context(), "POST", "/v1/chat/completions", body, "Idempotency-Key", name)
		if _, err := io.ReadAll(first.Body); err != nil || first.StatusCode != 200 {
			t.Fatalf("%s: got %d, %v", name, first.StatusCode, err)
		}
		s.want(204, "DELETE", "/v2/tasks/"+first.Header.Get("X-Task-Id"), "")
		again := s.send(t.Context(), "POST", "/v1/chat/completions", body, "Idempotency-Key", name)
		text, err := io.ReadAll(again.Body)
		if err != nil || again.StatusCode != 409 || !strings.Contains(string(text), `"RESULT_EXPIRED"`) || again.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: got %d %s, %v, X-Should-Retry %q, want 409 RESULT_EXPIRED for good", name, again.StatusCode, text, err, again.Header.Get("X-Should-Retry"))
		}
	}
}

// TestACallThatIsCanceledSaysSo, before its answer has begun and after.
func TestACallThatIsCanceledSaysSo(t *testing.T) {
	tasks := make(chan string, 1)
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, r *http.Request, body string) {
		if strings.Contains(body, "begun") {
			out.head("text/event-stream")
			out.send(nodeapi.FrameData, "data: {\"content\":\"hel\"}\n\n")
		}
		tasks <- r.URL.Query().Get("task_id")
		<-r.Context().Done()
	})
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"streamed":                {`{"model":"demo","stream":true}`, 409},
		"whole":                   {`{"model":"demo"}`, 409},
		"streamed, and has begun": {`{"model":"demo","stream":true,"x":"begun"}`, 200},
	} {
		answered := make(chan string, 1)
		go func() {
			res := s.send(t.Context(), "POST", "/v1/chat/completions", c.body)
			text, err := io.ReadAll(res.Body)
			answered <- fmt.Sprintf("%d %s %v", res.StatusCode, text, err)
		}()
		path := "/v2/tasks/" + testkit.Receive(t, tasks, "the pool's call")
		testkit.Eventually(t, "the task is stored", func() bool { return s.send(t.Context(), "GET", path, "").StatusCode == 200 })
		s.want(204, "POST", path+"/cancel", "")
		if got := testkit.Receive(t, answered, "the answer"); !strings.HasPrefix(got, fmt.Sprint(c.status)) || !strings.Contains(got, `"CANCELED"`) || strings.Contains(got, "[DONE]") {
			t.Errorf("%s: got %s, want %d and CANCELED", name, got, c.status)
		}
	}
}

// TestAConflictIsNotToBeRepeated: SDKs repeat a 409 by themselves, which cannot help here.
func TestAConflictIsNotToBeRepeated(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	s.want(200, "POST", "/v1/chat/completions", chat, "Idempotency-Key", "k")
	res := s.send(t.Context(), "POST", "/v1/chat/completions", `{"model":"demo","stream":true,"other":1}`, "Idempotency-Key", "k")
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 409 || !strings.Contains(string(text), `"IDEMPOTENCY_KEY_REUSED"`) || res.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("got %d %s, %v, X-Should-Retry %q, want 409 IDEMPOTENCY_KEY_REUSED for good", res.StatusCode, text, err, res.Header.Get("X-Should-Retry"))
	}
}
