package adapter_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/adapter"
)

// TestARefusalThatIsNoErrorOfTheAPIHasNoBody: the client gets one in the shape of its
// protocol, with the status and the words. Ollama's router answers a route that it does not
// have with the text 404 page not found.
func TestARefusalThatIsNoErrorOfTheAPIHasNoBody(t *testing.T) {
	const long = `{"error":"`
	for name, c := range map[string]struct {
		operation    string
		status       int
		kind, answer string
		body         bool
		words        string
	}{
		"Ollama's router":       {"messages-count-tokens", 404, "text/plain", "404 page not found", false, "404 page not found; it seems not to have the route POST /v1/messages/count_tokens"},
		"Starlette's router":    {"responses-input-tokens", 405, "application/json", `{"detail":"Method Not Allowed"}`, false, "Method Not Allowed; it seems not to have the route POST /v1/responses/input_tokens"},
		"the same, with more":   {"chat", 404, "application/json", `{"detail":"Not Found","x":1}`, true, "Not Found"},
		"another detail":        {"chat", 404, "application/json", `{"detail":"no such adapter"}`, true, "no such adapter"},
		"a response by its id":  {"responses-get", 404, "text/plain", "404 page not found", false, "it seems not to have the route GET /v1/responses/{id}"},
		"another method":        {"embeddings", 405, "text/plain; charset=utf-8", "Method Not Allowed\n", false, "it seems not to have the route POST /v1/embeddings"},
		"a proxy":               {"chat", 413, "text/html", "<html><h1>413 Request Entity Too Large</h1></html>", false, "413 Request Entity Too Large"},
		"the engine's key":      {"chat", 400, "text/plain", "bad " + callKey + " here", false, "bad [redacted] here"},
		"a text of JSON":        {"chat", 422, "application/json", `"no such thing"`, false, "no such thing"},
		"cut JSON":              {"chat", 400, "application/json", `{"error":"a`, false, "the engine answered 400"},
		"more than is kept":     {"chat", 400, "text/plain", strings.Repeat("x ", 40<<10), false, "x x x"},
		"an error":              {"ollama-show", 404, "application/json", `{"error":"model not found"}`, true, "model not found"},
		"an error, called text": {"chat", 404, "text/plain", `{"error":{"message":"gone"}}`, true, "gone"},
		"a long error":          {"chat", 400, "application/json", long + strings.Repeat("y", 70<<10) + `"}`, true, ""},
		"of the server":         {"chat", 500, "text/plain", "Internal Server Error", true, "Internal Server Error"},
	} {
		call := adapter.Call{Operation: operation(t, c.operation)}
		if call.Operation.HasObject() {
			call.Object = "resp_1"
		}
		_, _, err := callEngine(t, call, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			io.WriteString(w, c.answer)
		})
		if c.status == http.StatusMethodNotAllowed && !c.body { // the client's own method is right
			c.status = http.StatusNotFound
		}
		got, _ := errors.AsType[*adapter.Error](err)
		switch {
		case got == nil || got.Response == nil || got.Response.Status != c.status:
			t.Errorf("%s: got %v, want an answer with %d", name, err, c.status)
		case len(got.Response.Body) > 0 != c.body:
			t.Errorf("%s: got the body %.80q", name, got.Response.Body)
		case !strings.Contains(got.Message, c.words) || len(got.Message) > 600 || strings.Contains(got.Message, callKey):
			t.Errorf("%s: got the words %q, want %q", name, got.Message, c.words)
		}
	}
}
