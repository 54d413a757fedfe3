package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// An upstream that cannot be reached is an error that SDKs can show, for every version of
// HTTP; Caddy's log has it as before.
func TestAnUnreachableUpstreamIsShownBySDKs(t *testing.T) {
	g := serve(t, true, twoTokens, "\tlog\n\tauthmin {\n\t\tpublic /open\n\t\trequire infer /*\n\t}\n\thandle /v1/full {\n\t\terror 503\n\t}\n\thandle /v1/slow {\n\t\terror 504\n\t}\n\thandle /v1/missing {\n\t\terror 404\n\t}\n\thandle {\n\t\treverse_proxy 127.0.0.1:1\n\t}\n")
	for version, client := range clients(t) {
		for path, c := range map[string]struct {
			status int
			code   string // "" for Caddy's own answer
		}{
			"/v1/chat/completions": {502, "UPSTREAM_UNREACHABLE"}, "/v1/messages": {502, "UPSTREAM_UNREACHABLE"}, "/api/chat": {502, "UPSTREAM_UNREACHABLE"}, "/open": {502, "UPSTREAM_UNREACHABLE"},
			"/v1/full": {503, "UPSTREAM_UNAVAILABLE"}, "/v1/slow": {504, "UPSTREAM_TIMEOUT"}, "/v1/missing": {404, ""},
		} {
			answer, body := g.ask(t, client, "GET", path, asUser, "X-Correlation-Id: mine-1")
			d := authmin.DialectOf(path, nil)
			want := ""
			if problem, ok := upstreamProblems[c.status]; ok {
				want = string(problem.Body(d, "mine-1"))
			}
			if answer.StatusCode != c.status || body != want || !strings.Contains(body, c.code) || answer.Header.Get("X-Request-Id") != "mine-1" {
				t.Errorf("%s, %s: got %d %s, want %s", version, path, answer.StatusCode, body, want)
			}
			if c.code != "" && (answer.Header.Get("Content-Type") != d.ContentType() || answer.Header.Get("X-Should-Retry") != "") {
				t.Errorf("%s, %s: got %v", version, path, answer.Header)
			}
			if answer, body := g.ask(t, client, "HEAD", path, asUser); answer.StatusCode != c.status || body != "" {
				t.Errorf("%s, HEAD %s: got %d %q", version, path, answer.StatusCode, body)
			}
		}
	}
	if log := readFile(t, g.log); !strings.Contains(log, `"logger":"http.log.error"`) || strings.Contains(log, "superfluous") {
		t.Errorf("the log says %.3000s", log)
	}
}

// Anthropic's clients ask for models at the path of OpenAI's. A refusal, an error and an
// answer to them have Anthropic's shape and its id.
func TestListsOfModelsForAnthropicsClients(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nhandle /v1/models/dead {\n\treverse_proxy 127.0.0.1:1\n}\nreverse_proxy "+up.address())
	const version = "Anthropic-Version: 2023-06-01"
	for _, c := range []struct {
		path   string
		fields []string
		status int
	}{
		{"/v1/models", []string{version}, 401}, {"/v1/models/a", []string{version}, 401}, {"/v1/models/dead", []string{version, asUser}, 502}, {"/v1/models", []string{version, asUser}, 200},
	} {
		answer, body := g.ask(t, plainClient(), "GET", c.path, append(c.fields, "X-Correlation-Id: mine-1")...)
		if answer.StatusCode != c.status || answer.Header.Get("Request-Id") != "mine-1" || c.status != 200 && !strings.HasSuffix(body, `"request_id":"mine-1","type":"error"}`) {
			t.Errorf("%s: got %d %s, Request-Id %q, want %d", c.path, answer.StatusCode, body, answer.Header.Get("Request-Id"), c.status)
		}
	}
	if answer, body := g.ask(t, plainClient(), "GET", "/v1/models"); answer.Header.Get("Request-Id") != "" || !strings.Contains(body, `"code_number":40101`) {
		t.Errorf("another client: got %v %s", answer.Header, body)
	}
}

// Error routes are the operator's, and an answer that has begun is cut, not mended.
func TestErrorsThatAreNotOursToAnswer(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "cut")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /*\n}\nreverse_proxy "+up.address())
	r, _ := http.NewRequest("GET", g.base+"/v1/x", nil)
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	answer, err := plainClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil || string(body) != "cut" || json.Valid(body) {
		t.Errorf("got %q, %v", body, err)
	}
	g.load(t, twoTokens, "authmin {\n\trequire infer /*\n}\nreverse_proxy 127.0.0.1:1\nhandle_errors {\n\trespond \"the operator's words\" 502\n}")
	if answer, body := g.ask(t, plainClient(), "GET", "/v1/x", asUser); answer.StatusCode != 502 || body != "the operator's words" {
		t.Errorf("with error routes: got %d %s", answer.StatusCode, body)
	}
	g.load(t, twoTokens, "authmin {\n\tshadow\n\trequire infer /*\n}\nreverse_proxy 127.0.0.1:1")
	if answer, body := g.ask(t, plainClient(), "GET", "/v1/x", asUser); answer.StatusCode != 502 || body != "" {
		t.Errorf("a shadow guard: got %d %s", answer.StatusCode, body)
	}
}

// Nothing is written behind an answer that has begun.
func TestAnErrorBehindTheBeginningOfAnAnswer(t *testing.T) {
	for begun, want := range map[bool]string{true: "begun", false: "UPSTREAM_UNREACHABLE"} {
		w := httptest.NewRecorder()
		s := &requestState{response: response{id: "id-1"}}
		s.ResponseWriter = w
		if begun {
			_, _ = s.Write([]byte("begun"))
		}
		failed := caddyhttp.Error(http.StatusBadGateway, io.ErrUnexpectedEOF)
		if err := (&Guard{}).answerError(httptest.NewRequest("GET", "/", nil), s, failed); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
		if got := w.Body.String(); !strings.Contains(got, want) || begun && got != want {
			t.Errorf("begun %v: got %q", begun, got)
		}
	}
}
