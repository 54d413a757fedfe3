package adapter

import (
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAnEventOverTheLimitEndsTheCall, also where each line is an event, and where it never
// ends.
func TestAnEventOverTheLimitEndsTheCall(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct{ operation, kind, sent string }{
		"a line of Ollama":    {"ollama-generate", mediaLines, `{"response":"` + long + `","done":true}` + "\n"},
		"data of an event":    {"chat", mediaEvents, `data: {"choices":[{"delta":{"content":"` + long + `"}}]}` + "\n\ndata: [DONE]\n\n"},
		"a line without end":  {"chat", mediaEvents, "data: " + long},
		"data in many lines":  {"chat", mediaEvents, strings.Repeat("data: "+long[:500]+"\n", 10) + "\n"},
		"a name without data": {"chat", mediaEvents, "event: " + long + "\n\n"},
	} {
		kinds, data, _, err := readCall(t, c.operation, true, c.kind, strings.NewReader(c.sent), func(r *callReader) { r.call.MaxAnswer = 4096 })
		if err == nil || strings.Contains(data, long[:500]) {
			t.Errorf("%s: got frames %q and %v, want an error and nothing of the event", name, kinds, err)
		}
	}
}

// TestAContentTypeIsOneOfFour, or one that a browser does not run.
func TestAContentTypeIsOneOfFour(t *testing.T) {
	for told, want := range map[string]string{
		"application/json": "application/json", "application/problem+json": "application/problem+json", "text/event-stream; charset=utf-8": "text/event-stream; charset=utf-8",
		"application/x-ndjson": "application/x-ndjson", "text/plain": "text/plain",
		"text/html": mediaOther, "image/svg+xml": mediaOther, "application/xhtml+xml": mediaOther, "": mediaOther, "text/html; application/json": mediaOther,
	} {
		if got := contentType(http.Header{"Content-Type": {told}}); got != want {
			t.Errorf("%q: got %q, want %q", told, got, want)
		}
	}
}

// TestAHeaderOfAnAnswerIsBounded: from a list, without controls, not long, and without the
// engine's key.
func TestAHeaderOfAnAnswerIsBounded(t *testing.T) {
	key := authmin.RandomSecret()
	got := Target{Key: key}.answerHeader(http.Header{
		"Openai-Version": {"1"}, "Openai-Key": {"it was " + key.Reveal()}, "Openai-Long": {strings.Repeat("x", maxHeaderValue+1)},
		"Openai-Control": {"a\x1bb"}, "Set-Cookie": {"a=b"}, "X-Auth-Identity": {"root"},
	})
	if len(got) != 2 || got["Openai-Version"] != "1" || strings.Contains(got["Openai-Key"], key.Reveal()) || !strings.HasPrefix(got["Openai-Key"], "it was ") {
		t.Errorf("got %q, want the version, and Openai-Key without the key", got)
	}
	many := http.Header{}
	for i := range 2 * maxAnswerHeaders {
		many["Openai-"+strings.Repeat("x", i+1)] = []string{"1"}
	}
	if got := (Target{}).answerHeader(many); len(got) > maxAnswerHeaders {
		t.Errorf("got %d headers, want at most %d", len(got), maxAnswerHeaders)
	}
}

// TestAnIDThatIsNoPathSegmentIsNone: a client asks for a response by its id.
func TestAnIDThatIsNoPathSegmentIsNone(t *testing.T) {
	for id, want := range map[string]string{"resp_1": "resp_1", "../models": "", "a/b": "", "": ""} {
		r := &callReader{end: nodeapi.CallEnd{}}
		r.response(object([]byte(`{"id":"` + id + `"}`)))
		if r.end.ResponseID != want {
			t.Errorf("%q: got %q, want %q", id, r.end.ResponseID, want)
		}
	}
}
