package httpapi

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// twice sends a header with several values.
func (s *served) twice(path, body, name string, values []string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header[http.CanonicalHeaderKey(name)] = values
	res, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	return res
}

// TestNothingIsRunToGoOnWithAnUnknownCall: its caller has the beginning of another
// answer, and would append the end of this one.
func TestNothingIsRunToGoOnWithAnUnknownCall(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	got := s.want(409, "POST", "/v1/chat/completions", chat, "Idempotency-Key", "k", "Last-Event-ID", "3")
	if !strings.Contains(got, `"code":"IDEMPOTENCY_KEY_SPENT"`) {
		t.Errorf("got %s", got)
	}
	if got := s.want(200, "POST", "/v1/chat/completions", chat, "Idempotency-Key", "k"); !strings.Contains(got, "hello") {
		t.Errorf("the key is used up: got %s", got)
	}
}

// TestAStreamWithAnotherStatusOfSuccessIsShown: its events came with 201.
func TestAStreamWithAnotherStatusOfSuccessIsShown(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.value(nodeapi.FrameHead, nodeapi.CallHead{Status: http.StatusCreated, ContentType: "text/event-stream"})
		out.send(nodeapi.FrameData, "data: {\"content\":\"hello\"}\n\n")
		out.send(nodeapi.FrameLast, "data: [DONE]\n\n")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	res := s.send(t.Context(), "POST", "/v1/chat/completions", chat)
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(text) != "data: {\"content\":\"hello\"}\n\ndata: [DONE]\n\n" {
		t.Errorf("got %d %q", res.StatusCode, text)
	}
}

// TestAStreamOfLinesGoesOnAfterALine: its lines have no ids, so their numbers are that.
func TestAStreamOfLinesGoesOnAfterALine(t *testing.T) {
	s := serve(t, Options{})
	lines := []string{`{"response":"a","done":false}`, `{"response":"b","done":false}`, `{"response":"c","done":false}`, `{"response":"","done":true}`}
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.head("application/x-ndjson")
		out.send(nodeapi.FrameData, lines[0]+"\n")
		out.send(nodeapi.FramePart, lines[1][:9]) // one that came in two parts
		out.send(nodeapi.FrameData, lines[1][9:]+"\n")
		out.send(nodeapi.FrameData, lines[2]+"\n")
		out.send(nodeapi.FrameLast, lines[3]+"\n")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	const path, body = "/api/generate", `{"model":"demo","prompt":"x"}`
	s.want(200, "POST", path, body, "Idempotency-Key", "k")
	for have := range lines {
		want := strings.Join(lines[have:], "\n") + "\n"
		if got := s.want(200, "POST", path, body, "Idempotency-Key", "k", "Last-Event-ID", strconv.Itoa(have)); got != want {
			t.Errorf("after %d lines: got %q, want %q", have, got, want)
		}
	}
	if got := s.want(200, "POST", path, body, "Idempotency-Key", "k", "Last-Event-ID", "4"); got != "" {
		t.Errorf("after all lines: got %q", got)
	}
}
