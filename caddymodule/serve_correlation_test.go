package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// One correlation id on every answer, and the same one at the upstream and in the
// audit trail, whatever an upstream adds.
func TestOneCorrelationID(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/proxied-error" { // in the error routes nothing of the guard's is around the writer
			w.Header()["X-Correlation-Id"] = []string{"upstream-1", "upstream-2"}
		}
		w.Header().Set("Link", "</x>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	})
	g := serve(t, false, twoTokens, `
	authmin {
		public /public
		require infer /v1/*
	}
	handle /v1/dead {
		reverse_proxy 127.0.0.1:1
	}
	handle /v1/error {
		error 503
	}
	handle /v1/proxied-error {
		error 504
	}
	handle /v1/respond {
		respond ok
	}
	handle {
		reverse_proxy `+up.address()+`
	}
	handle_errors 504 {
		reverse_proxy `+up.address()+` {
			@any status 2xx 4xx
			replace_status @any 504
		}
	}`)
	for path, status := range map[string]int{
		"/public": 418, "/v1/x": 418, "/v1/dead": 502, "/v1/error": 503, "/v1/respond": 200, "/v1/proxied-error": 504, "/denied": 403, "/v1//x": 400,
	} {
		answer, _ := g.ask(t, plainClient(), "GET", path, asUser, "X-Correlation-Id: mine-1")
		if answer.StatusCode != status {
			t.Errorf("%s: got %d, want %d", path, answer.StatusCode, status)
		}
		if got := answer.Header["X-Correlation-Id"]; len(got) != 1 || got[0] != "mine-1" {
			t.Errorf("%s: the answer has correlation ids %q", path, got)
		}
		if r := up.last(); r != nil && strings.Join(r.Header["X-Correlation-Id"], "|") != "mine-1" {
			t.Errorf("%s: the upstream got %q", path, r.Header["X-Correlation-Id"])
		}
	}
	for _, record := range g.recordsOf(t, 8) {
		if record["correlation_id"] != "mine-1" {
			t.Errorf("the audit record of %s has %v", record["path"], record["correlation_id"])
		}
	}
}

// An invalid correlation id is replaced, and reaches neither the upstream nor the client.
func TestBadCorrelationIDIsReplaced(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, "authmin {\n\tpublic /*\n}\nreverse_proxy "+up.address())
	seen := map[string]bool{}
	for _, fields := range [][]string{
		nil, {"X-Correlation-Id: "}, {"X-Correlation-Id: a b"}, {"X-Correlation-Id: a_b"}, {"X-Correlation-Id: ä"},
		{"X-Correlation-Id: a", "X-Correlation-Id: b"}, {"X-Correlation-Id: " + strings.Repeat("a", 65)},
	} {
		answer, _ := g.ask(t, plainClient(), "GET", "/x", fields...)
		got := answer.Header["X-Correlation-Id"]
		if len(got) != 1 || len(got[0]) != 26 || seen[got[0]] {
			t.Errorf("%q: the answer has %q", fields, got)
			continue
		}
		seen[got[0]] = true
		if at := up.last().Header["X-Correlation-Id"]; len(at) != 1 || at[0] != got[0] {
			t.Errorf("%q: the upstream got %q, the client %q", fields, at, got)
		}
	}
}

// SDKs show X-Request-Id, and Anthropic's Request-Id: there it is the correlation id,
// whatever an upstream has put there, on every answer and for every version of HTTP.
func TestRequestIDsAreTheCorrelationID(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Request-Id", "Request-Id"} {
			w.Header()[name] = []string{"upstream-1", "upstream-2"}
		}
		w.WriteHeader(http.StatusTeapot)
	})
	g := serve(t, true, twoTokens, "authmin {\n\tpublic /public\n\trequire infer /v1/*\n}\nhandle /v1/respond {\n\trespond ok\n}\nhandle {\n\treverse_proxy "+up.address()+"\n}")
	for path, c := range map[string]struct {
		status int
		ids    []string // Request-Id
	}{
		"/public": {418, []string{"upstream-1", "upstream-2"}}, "/v1/x": {418, []string{"upstream-1", "upstream-2"}},
		"/v1/messages": {418, []string{"mine-1"}}, "/v1/messages/count_tokens?x": {418, []string{"mine-1"}},
		"/v1/respond": {200, nil}, "/elsewhere": {403, nil}, "/v1//x": {400, nil}, "/v1/messages//x": {400, []string{"mine-1"}},
	} {
		for version, client := range clients(t) {
			answer, _ := g.ask(t, client, "GET", path, asUser, "X-Correlation-Id: mine-1")
			got := answer.Header
			if answer.StatusCode != c.status || !slices.Equal(got["X-Correlation-Id"], []string{"mine-1"}) || !slices.Equal(got["X-Request-Id"], []string{"mine-1"}) || !slices.Equal(got["Request-Id"], c.ids) {
				t.Errorf("%s, %s: got %d with ids %q %q %q", path, version, answer.StatusCode, got["X-Correlation-Id"], got["X-Request-Id"], got["Request-Id"])
			}
		}
	}
}

// Another id of the client's than its correlation id goes to the upstream, and is not
// on the answer.
func TestAClientsRequestIDIsTheUpstreams(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, "authmin {\n\tpublic /*\n}\nreverse_proxy "+up.address())
	answer, _ := g.ask(t, plainClient(), "GET", "/x", "X-Request-Id: theirs")
	if got := up.last().Header.Get("X-Request-Id"); got != "theirs" {
		t.Errorf("the upstream got X-Request-Id %q", got)
	}
	if got := answer.Header.Get("X-Request-Id"); got != answer.Header.Get("X-Correlation-Id") {
		t.Errorf("the answer has X-Request-Id %q and X-Correlation-Id %q", got, answer.Header.Get("X-Correlation-Id"))
	}
}
