package authmin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

var pathsOfDialects = map[string]Dialect{
	"/v1/messages": DialectAnthropic, "/v1/messages/": DialectAnthropic, "/v1/messages/count_tokens": DialectAnthropic,
	"/api/chat": DialectOllama, "/api/": DialectOllama,
	"/v1/chat/completions": DialectOpenAI, "/v1/models": DialectOpenAI, "/v2/tasks": DialectOpenAI, "/metrics": DialectOpenAI, "/": DialectOpenAI, "": DialectOpenAI,
	"/v1/messagesx": DialectOpenAI, "/v1/Messages": DialectOpenAI, "/api": DialectOpenAI, "/apis/x": DialectOpenAI, "/x/api/chat": DialectOpenAI,
}

func TestDialectOf(t *testing.T) {
	for path, want := range pathsOfDialects {
		if got := DialectOf(path, nil); got != want {
			t.Errorf("%q: got %d, want %d", path, got, want)
		}
	}
}

// Anthropic's clients ask for models at the path of OpenAI's, and say which they are.
func TestDialectOfListsOfModels(t *testing.T) {
	anthropic := http.Header{"Anthropic-Version": {"2023-06-01"}}
	for path, want := range map[string]Dialect{
		"/v1/models": DialectAnthropic, "/v1/models/a": DialectAnthropic, "/v1/models/a/b": DialectAnthropic,
		"/v1/modelsx": DialectOpenAI, "/v1/chat/completions": DialectOpenAI, "/api/tags": DialectOllama,
	} {
		if got := DialectOf(path, anthropic); got != want {
			t.Errorf("%q: got %d, want %d", path, got, want)
		}
		if ids := DialectOf(path, anthropic).IDHeaders(); slices.Contains(ids, "Request-Id") != (want == DialectAnthropic) || !slices.Contains(ids, "X-Request-Id") {
			t.Errorf("%q: the fields with an id are %q", path, ids)
		}
	}
}

// What programs read of an error on each kind of route, byte for byte.
func TestProblemBodies(t *testing.T) {
	limited := ProblemLimited
	limited.Extra, limited.Param = map[string]any{"retry_after_ms": 1500}, "max_tokens"
	for _, c := range []struct {
		name    string
		problem Problem
		dialect Dialect
		want    string
	}{
		{"OpenAI", ProblemMissingToken, DialectOpenAI,
			`{"code":"MISSING_TOKEN","code_number":40101,"correlation_id":"id-1","error":{"code":"MISSING_TOKEN","message":"No credentials were sent. Send the header Authorization: Bearer TOKEN.","param":null,"type":"authentication_error"},"hint":"Send the header Authorization: Bearer TOKEN.","status":401,"title":"No credentials were sent","type":"urn:llorch:problem:missing_token"}`},
		{"Anthropic", ProblemMissingToken, DialectAnthropic,
			`{"error":{"code":"MISSING_TOKEN","code_number":40101,"hint":"Send the header Authorization: Bearer TOKEN.","message":"No credentials were sent. Send the header Authorization: Bearer TOKEN.","type":"authentication_error"},"request_id":"id-1","type":"error"}`},
		{"Ollama, 401", ProblemMissingToken, DialectOllama,
			`{"code":"MISSING_TOKEN","code_number":40101,"correlation_id":"id-1","error":"No credentials were sent. Send the header Authorization: Bearer TOKEN.","hint":"Send the header Authorization: Bearer TOKEN.","status":"401 Unauthorized: No credentials were sent. Send the header Authorization: Bearer TOKEN.","title":"No credentials were sent","type":"urn:llorch:problem:missing_token"}`},
		{"Ollama", ProblemScope, DialectOllama,
			`{"code":"INSUFFICIENT_SCOPE","code_number":40302,"correlation_id":"id-1","error":"The token does not have the required scope. Ask the operator for a token with that scope.","hint":"Ask the operator for a token with that scope.","status":"403 Forbidden","title":"The token does not have the required scope","type":"urn:llorch:problem:insufficient_scope"}`},
		{"OpenAI, with further members", limited, DialectOpenAI,
			`{"code":"LIMITED","code_number":42902,"correlation_id":"id-1","error":{"code":"LIMITED","message":"This identity has used up its limit. Wait as long as Retry-After says, or run fewer requests at once.","param":"max_tokens","type":"rate_limit_error"},"hint":"Wait as long as Retry-After says, or run fewer requests at once.","retry_after_ms":1500,"status":429,"title":"This identity has used up its limit","type":"urn:llorch:problem:limited"}`},
		{"Anthropic, with further members", limited, DialectAnthropic,
			`{"error":{"code":"LIMITED","code_number":42902,"hint":"Wait as long as Retry-After says, or run fewer requests at once.","message":"This identity has used up its limit. Wait as long as Retry-After says, or run fewer requests at once.","param":"max_tokens","retry_after_ms":1500,"type":"rate_limit_error"},"request_id":"id-1","type":"error"}`},
		{"a message of its own", Problem{Status: 422, Code: "INVALID_FIELD", Title: "Unprocessable Entity", Hint: "see errors", Message: "model: required"}, DialectAnthropic,
			`{"error":{"code":"INVALID_FIELD","hint":"see errors","message":"model: required","type":"invalid_request_error"},"request_id":"id-1","type":"error"}`},
	} {
		if got := string(c.problem.Body(c.dialect, "id-1")); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// A further member replaces none of ours, in any dialect.
func TestExtraMembersReplaceNothing(t *testing.T) {
	p := ProblemDenied
	plain := map[Dialect]string{}
	for _, d := range []Dialect{DialectOpenAI, DialectAnthropic, DialectOllama} {
		plain[d] = string(p.Body(d, "id-1"))
	}
	p.Extra = map[string]any{"status": 200, "code": "OK", "title": "x", "type": "x", "hint": "x", "code_number": 0, "correlation_id": "x", "error": "x", "message": "x"}
	for d, want := range plain {
		var got, wanted map[string]any
		if err := errors.Join(json.Unmarshal(p.Body(d, "id-1"), &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
			t.Fatal(err)
		}
		if e, ok := got["error"].(map[string]any); ok && d == DialectAnthropic {
			got = e
			wanted = wanted["error"].(map[string]any)
		}
		for name, value := range wanted {
			if _, object := value.(map[string]any); !object && got[name] != value {
				t.Errorf("dialect %d: %s is %v, want %v", d, name, got[name], value)
			}
		}
	}
}

// SDKs send a request again unless they are told not to.
func TestWhichRequestsAreRetried(t *testing.T) {
	for status, final := range map[int]bool{400: true, 401: true, 403: true, 404: true, 405: true, 413: true, 415: true, 422: true,
		408: false, 409: false, 425: false, 429: false, 500: false, 502: false, 503: false, 504: false} {
		for _, given := range []bool{false, true} {
			p := Problem{Status: status, Code: "X", Final: given}
			w := httptest.NewRecorder()
			WriteProblem(w, httptest.NewRequest("GET", "/", nil), p)
			want := ""
			if final || given {
				want = "false"
			}
			if got := w.Header().Get("X-Should-Retry"); got != want {
				t.Errorf("%d, final %v: X-Should-Retry is %q, want %q", status, given, got, want)
			}
		}
	}
}

// The shape follows the path; HEAD gets the header alone.
func TestWriteProblemByPath(t *testing.T) {
	for path, dialect := range pathsOfDialects {
		if path == "" {
			continue
		}
		for _, method := range []string{http.MethodPost, http.MethodHead} {
			w := httptest.NewRecorder()
			WriteProblem(w, httptest.NewRequest(method, path, nil), ProblemScope)
			want := string(ProblemScope.Body(dialect, ""))
			if method == http.MethodHead {
				want = ""
			}
			if w.Body.String() != want || w.Header().Get("Content-Type") != dialect.ContentType() {
				t.Errorf("%s %s: got %s %s", method, path, w.Header().Get("Content-Type"), w.Body)
			}
		}
	}
}

// A refusal must cost the gateway less than it costs the client that provokes it.
func TestProblemBodiesAreCheap(t *testing.T) {
	const most = 16 // the race detector adds one or two
	for _, d := range []Dialect{DialectOpenAI, DialectAnthropic, DialectOllama} {
		if got := testing.AllocsPerRun(100, func() { ProblemBadToken.Body(d, "id-1") }); got > most {
			t.Errorf("dialect %d: %v allocations, want at most %d", d, got, most)
		}
	}
}
