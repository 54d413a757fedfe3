//go:build browser

package bypass_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const pageToken = "page-token-0123456789abcdefghijklmnopqrs"

// engines are two upstreams: one refuses every Origin, as Ollama does those that it does
// not know, and one allows every page, as vLLM does.
type engines struct {
	ollama, vllm *httptest.Server
	mu           sync.Mutex
	asked        []string // method and path of each request
	read         chan struct{}
}

// startEngines answers a chat in two events. The second is sent when a page says that it
// has read the first one, which it cannot if something holds the answer.
func startEngines(t *testing.T) *engines {
	t.Helper()
	e := &engines{read: make(chan struct{}, 16)}
	chat := func(w http.ResponseWriter, r *http.Request, kind, first, second string) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Ratelimit-Remaining-Tokens", "7")
		_, _ = io.WriteString(w, first)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-e.read:
			_, _ = io.WriteString(w, second)
		case <-r.Context().Done():
		}
	}
	serve := func(handle http.HandlerFunc) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			e.mu.Lock()
			e.asked = append(e.asked, r.Method+" "+r.URL.Path)
			e.mu.Unlock()
			handle(w, r)
		}))
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		return server
	}
	e.ollama = serve(func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Origin"] != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		chat(w, r, "application/x-ndjson", "{\"n\":1}\n", "{\"n\":2,\"done\":true}\n")
	})
	e.vllm = serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		switch {
		case r.URL.Path == "/v1/read":
			e.read <- struct{}{}
		case r.Method == http.MethodPost:
			chat(w, r, "text/event-stream", "data: 1\n\n", "data: 2\n\ndata: [DONE]\n\n")
		}
	})
	return e
}

func (e *engines) requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.asked...)
}

// startCORSGateway guards the engines, for pages of one origin, with the bypass on.
func startCORSGateway(t *testing.T, e *engines, origin string) (base string) {
	t.Helper()
	address, dir := testkit.FreeAddress(t), t.TempDir()
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	authmin {
		token page {env.PAGE_TOKEN} infer
		optional true
		lockout off
	}
}
http://%s {
	bind 127.0.0.1
	authmin pages {
		cors %s
		credentials bearer x-api-key
		require infer POST,GET /v1/* /api/*
	}
	handle /api/* {
		reverse_proxy %s
	}
	handle {
		reverse_proxy %s
	}
}
`, address, origin, e.ollama.Listener.Addr(), e.vllm.Listener.Addr())
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.Start(t, []string{"PAGE_TOKEN=" + pageToken}, "run", "--adapter", "caddyfile", "--config", file)
	g.Listening(t, address)
	return "http://" + address
}

// outcome is what a page learns from a request.
type outcome struct {
	Failed  string `json:"failed"` // the error's name; nothing else can be read
	Type    string `json:"type"`
	Status  int    `json:"status"`
	Body    string `json:"body"`
	ID      string `json:"id"`
	Limit   string `json:"limit"`
	Retry   string `json:"retry"`
	Private string `json:"private"` // a field that pages may not read
}

// asking is a function of pages: it sends a request, reads the answer as it comes, and
// reports on /v1/read that it has read the first piece.
const asking = `async (base, path, init) => {
	try {
		const answer = await fetch(base + path, init);
		const result = {type: answer.type, status: answer.status, body: "", id: answer.headers.get("x-request-id") ?? "",
			limit: answer.headers.get("x-ratelimit-remaining-tokens") ?? "", retry: answer.headers.get("x-should-retry") ?? "", private: answer.headers.get("server") ?? ""};
		const reader = answer.body?.getReader(), decoder = new TextDecoder();
		for (let n = 0; reader; n++) {
			const {done, value} = await reader.read();
			if (done) break;
			result.body += decoder.decode(value, {stream: true});
			if (n == 0 && answer.ok) await fetch(base + "/v1/read", {headers: init.headers});
		}
		return result;
	} catch (e) {
		return {failed: e.name};
	}
}`

// ask lets the present page send a request; init is JavaScript.
func ask(t *testing.T, ctx context.Context, base, path, init string) outcome {
	t.Helper()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[outcome](fmt.Sprintf("(%s)(%q, %q, %s)", asking, base, path, init),
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return result
}

// chatting is the request of an SDK in a page.
func chatting(credential string) string {
	return fmt.Sprintf(`{method: "POST", body: "{}", headers: {%s, "content-type": "application/json", "x-stainless-os": "Unknown", "anthropic-version": "2023-06-01"}}`, credential)
}

const (
	withToken = `"authorization": "Bearer ` + pageToken + `"`
	withKey   = `"x-api-key": "` + pageToken + `"`
)

// A page of a listed origin streams a chat through the gateway, whatever its engine
// thinks of browsers, and can read why it is refused.
func TestBrowserPageOfAListedOriginStreams(t *testing.T) {
	e, port := startEngines(t), startStranger(t)
	base := startCORSGateway(t, e, "http://localhost:"+port)
	ctx := startChromium(t)
	if err := typed(t, ctx, "http://localhost:"+port+"/"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, init, body string }{
		{"vLLM", "/v1/chat/completions", chatting(withToken), "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"},
		{"Ollama", "/api/chat", chatting(withToken), "{\"n\":1}\n{\"n\":2,\"done\":true}\n"},
		{"Anthropic's clients", "/v1/messages", chatting(withKey), "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"},
	} {
		got := ask(t, ctx, base, c.path, c.init)
		if got.Failed != "" || got.Status != http.StatusOK || got.Body != c.body || got.ID == "" || got.Limit != "7" || got.Private != "" {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
	for _, c := range []struct {
		name, path, init string
		status           int
		words            string
	}{
		{"a wrong token", "/v1/chat/completions", chatting(`"authorization": "Bearer nobody"`), 401, "BAD_TOKEN"},
		{"no token, with the bypass on", "/v1/chat/completions", `{}`, 403, "FOREIGN_ORIGIN"},
		{"a path without a rule", "/nowhere", chatting(withToken), 403, "DENIED"},
		{"a malformed path", "/v1//x", chatting(withToken), 400, ""},
	} {
		got := ask(t, ctx, base, c.path, c.init)
		if c.status == 400 { // its preflight is refused
			if got.Failed != "TypeError" {
				t.Errorf("%s: got %+v", c.name, got)
			}
			continue
		}
		if got.Status != c.status || !strings.Contains(got.Body, c.words) || got.Retry != "false" || got.ID == "" {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
	if got := ask(t, ctx, base, "/v1/chat/completions", strings.Replace(chatting(withToken), "{method", `{credentials: "include", method`, 1)); got.Failed != "TypeError" {
		t.Errorf("with cookies: got %+v", got)
	}
}

// A page of any other origin gets nothing, with a token or without, and the same for
// every path.
func TestBrowserPagesOfOtherOriginsLearnNothing(t *testing.T) {
	e, port := startEngines(t), startStranger(t)
	base := startCORSGateway(t, e, "http://localhost:"+port)
	ctx := startChromium(t)
	for _, origin := range []string{"http://127.0.0.1:" + port, "http://evil.example:" + port} {
		if err := typed(t, ctx, origin+"/"); err != nil {
			t.Fatal(err)
		}
		for _, init := range []string{chatting(withToken), chatting(withKey), `{}`, `{method: "POST", body: "{}"}`, `{method: "DELETE"}`, `{mode: "no-cors"}`} {
			var first outcome
			for i, path := range []string{"/v1/chat/completions", "/api/chat", "/nowhere", "/"} {
				got := ask(t, ctx, base, path, init)
				if i == 0 {
					first = got
				}
				if got.Status != 0 || got.Body != "" || got.ID != "" || got != first {
					t.Errorf("%s, %s %s: got %+v, for another path %+v", origin, init, path, got, first)
				}
			}
		}
	}
	if got := e.requests(); len(got) != 0 {
		t.Errorf("the engines were asked %q", got)
	}
}
