package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// testProblem ends streams.
var testProblem = authmin.Problem{Status: 429, Code: "TEST_SPENT", CodeNumber: 1, Title: "Spent", Hint: "Wait."}

// countingGuard serves a guard with usage, whose calls are given to onCall, before a proxy
// that aborts by a panic as Caddy's does.
func countingGuard(t *testing.T, upstream string, onCall func(*usageCall)) string {
	t.Helper()
	g := benchGuard(t)
	g.Usage = new(UsageConfig)
	if err := g.provisionModels(); err != nil {
		t.Fatal(err)
	}
	if err := g.provisionUsage(); err != nil {
		t.Fatal(err)
	}
	g.onCall = func(_ *requestState, _ *authmin.Decision, c *usageCall) { onCall(c) }
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	proxy.FlushInterval = -1
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		proxy.ServeHTTP(w, r)
		return nil
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
		if err := g.ServeHTTP(w, r, next); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// A stream that is ended by the gateway has whole events, then the protocol's error event,
// and a proper end; its upstream is told to stop.
func TestAStreamIsEndedBetweenTwoEvents(t *testing.T) {
	text := func(event string) string {
		return "event: content_block_delta\ndata: " + `{"type":"content_block_delta","delta":{"text":"` + event + `"}}` + "\n\n"
	}
	for name, c := range map[string]struct {
		path, kind string
		pieces     []string
		want       string // before the error
		event      string // the start of it
	}{
		"chat": {"/v1/chat/completions", "text/event-stream", chatEvents, strings.Join(chatEvents[:3], ""), `data: {"code":"TEST_SPENT"`},
		"within an event": {"/v1/chat/completions", "text/event-stream",
			[]string{chatEvents[0], chatEvents[1] + chatEvents[2][:10], chatEvents[2][10:20], chatEvents[2][20:] + chatEvents[1], chatEvents[1]},
			chatEvents[0] + chatEvents[1] + chatEvents[2], `data: {"code":"TEST_SPENT"`},
		"responses": {"/v1/responses", "text/event-stream", []string{text("a"), text("b"), text("c")}, text("a") + text("b"), "event: error\ndata: {\"code\":\"TEST_SPENT\""},
		"messages":  {"/v1/messages", "text/event-stream", []string{text("a"), text("b"), text("c")}, text("a") + text("b"), "event: error\ndata: {\"error\":{\"code\":\"TEST_SPENT\""},
	} {
		t.Run(name, func(t *testing.T) {
			stopped := make(chan struct{})
			upstream := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				answering(200, ofType(c.kind), c.pieces...)(w, r)
				<-r.Context().Done()
				close(stopped)
			})
			results := make(chan usageResult, 1)
			base := countingGuard(t, upstream, func(c *usageCall) {
				c.onOutput = func(seen, _ int64) *authmin.Problem {
					if seen < 2 {
						return nil
					}
					return &testProblem
				}
				c.onEnd = func(r usageResult) { results <- r }
			})
			r, _ := http.NewRequest("POST", base+c.path, strings.NewReader(chatBody))
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			got, err := io.ReadAll(answer.Body)
			rest, ok := strings.CutPrefix(string(got), c.want)
			if err != nil || !ok || !strings.HasPrefix(rest, c.event) || strings.Count(rest, "\n\n") != 1 || !strings.Contains(rest, "TEST_SPENT") {
				t.Errorf("got %q, %v\nwant %q and then %s…", got, err, c.want, c.event)
			}
			<-stopped
			if result := <-results; result.outcome != outcomeAborted || result.Output < 2 || !result.estimated {
				t.Errorf("got %+v", result)
			}
		})
	}
}

// What an answer says beyond what can be true for its call is not believed.
func TestFiguresAboveTheBoundOfACallAreUnreported(t *testing.T) {
	results := make(chan usageResult, 1)
	base := countingGuard(t, rawUpstream(t, answering(200, ofType("application/json"), `{"usage":{"prompt_tokens":60,"completion_tokens":41}}`)), func(c *usageCall) {
		c.believable = 100
		c.onEnd = func(r usageResult) { results <- r }
	})
	r, _ := http.NewRequest("POST", base+chatPath, strings.NewReader(chatBody))
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	answer, body := send(t, http.DefaultClient, r)
	if result := <-results; answer.StatusCode != 200 || result.outcome != outcomeUnreported || !result.estimated || result.Input != 20 {
		t.Errorf("got %d %s, %+v", answer.StatusCode, body, result)
	}
}

// The events of the responses protocol have names, under both of its paths.
func TestTheErrorEventIsThatOfTheProtocol(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/responses": "event: error\ndata: {", "/responses": "event: error\ndata: {", "/v1/messages": "event: error\ndata: {",
		"/v1/chat/completions": "data: {", "/v1/completions": "data: {", "/api/chat": "{",
	} {
		if got := errorEvent(authmin.DialectOf(path, http.Header{}), path, &testProblem, "id"); !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: got %q, want it to begin with %q", path, got, want)
		}
	}
}
