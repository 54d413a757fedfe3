package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// chat is an origin whose pages may use the gateway, stranger one whose may not.
const chat, stranger = "https://chat.example.com", "https://evil.example"

// browserUpstream behaves like the engines that browsers meet: what lies below /ollama
// refuses an Origin that it does not know, and the rest allows every page.
func browserUpstream(t *testing.T) *upstream {
	return newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/ollama") && r.Header["Origin"] != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h := w.Header()
		for name, value := range map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "*", "Access-Control-Allow-Methods": "*",
			"Access-Control-Max-Age": "86400", "Access-Control-Allow-Private-Network": "true", "Timing-Allow-Origin": "*", "Vary": "Accept-Encoding",
			"X-Ratelimit-Remaining-Tokens": "7", "X-Task-Id": "task-1", "Link": "</x>; rel=preload",
		} {
			h.Set(name, value)
		}
		w.WriteHeader(http.StatusEarlyHints)
		h.Set("Trailer", "X-Sum, Access-Control-Allow-Origin, Timing-Allow-Origin")
		_, _ = w.Write([]byte("answer"))
		h.Set("X-Sum", "1")
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set(http.TrailerPrefix+"Access-Control-Expose-Headers", "*")
	})
}

const corsGuard = "\tauthmin browsers {\n\t\tcors " + chat + " http://localhost:3000\n\t\tcredentials bearer x-api-key\n\t\tpublic GET /health\n\t\tpublic /open/*\n\t\trequire infer POST,GET /v1/*\n\t\tdeny /never\n\t\tallow_trailers /v1/*\n\t}\n"

func preflight(origin string, more ...string) []string {
	return append([]string{"Origin: " + origin, "Access-Control-Request-Method: POST"}, more...)
}

// browserFields are the fields of an answer that are for browsers, in order.
func browserFields(h http.Header) string {
	var lines []string
	for name, values := range h {
		if isOfBrowsers(name) || name == "Vary" {
			lines = append(lines, name+": "+strings.Join(values, " | "))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// What a preflight is answered is the same for every path, with or without a token: a
// page cannot find out which paths there are.
func TestPreflights(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, true, twoTokens, corsGuard+"\treverse_proxy "+up.address())
	paths := []string{"/health", "/open/x", "/v1/chat/completions", "/never", "/nowhere", "/", "/V1/x", "/health/", "/v1/x?key=value"}
	asking := "Access-Control-Request-Headers: authorization,content-type,x-stainless-os,anthropic-version,x-evil,x-stainless-a b"
	const want = "Access-Control-Allow-Headers: authorization, content-type, x-api-key, idempotency-key, last-event-id, x-correlation-id, x-deadline-ms, x-session-id, traceparent, x-stainless-os, anthropic-version\n" +
		"Access-Control-Allow-Methods: DELETE, GET, HEAD, PATCH, POST, PUT\nAccess-Control-Allow-Origin: " + chat + "\nAccess-Control-Max-Age: 600\nVary: Origin"
	for version, client := range clients(t) {
		for _, path := range paths {
			for _, credential := range []string{"X-Nothing: 1", asUser, "Authorization: Bearer nobody"} {
				answer, body := g.ask(t, client, "OPTIONS", path, preflight(chat, asking, credential)...)
				if got := browserFields(answer.Header); answer.StatusCode != http.StatusNoContent || body != "" || got != want {
					t.Errorf("%s, %s: got %d %s\n%s\nwant\n%s", version, path, answer.StatusCode, body, got, want)
				}
				if answer.Header.Get("X-Request-Id") == "" {
					t.Errorf("%s, %s: got %v", version, path, answer.Header)
				}
			}
			for _, origin := range []string{stranger, "null", chat + ".evil.example", "https://CHAT.example.com", "http://chat.example.com", chat + ":8443", "http://localhost:3001"} {
				answer, _ := g.ask(t, client, "OPTIONS", path, preflight(origin, asking)...)
				if got := browserFields(answer.Header); answer.StatusCode != http.StatusNoContent || got != "Vary: Origin" {
					t.Errorf("%s, %s from %s: got %d\n%s", version, path, origin, answer.StatusCode, got)
				}
			}
			answer, _ := g.ask(t, client, "OPTIONS", path, preflight(chat, "Origin: "+stranger)...)
			if got := browserFields(answer.Header); got != "Vary: Origin" && !strings.HasPrefix(path, "/open/") {
				t.Errorf("%s, two origins: got %s", path, got)
			}
		}
		for _, path := range []string{"/v1//x", "/v1/%2e%2e/x", "/v1/x;y", "/v1/a%2Fb"} {
			if answer, body := g.ask(t, client, "OPTIONS", path, preflight(chat)...); answer.StatusCode != http.StatusBadRequest || answer.Header.Get(headerAllowOrigin) != chat {
				t.Errorf("%s, %s: got %d %s with %s", version, path, answer.StatusCode, body, browserFields(answer.Header))
			}
		}
	}
	for r := up.last(); r != nil; r = up.last() {
		if r.Method != "OPTIONS" || !strings.HasPrefix(r.URL.Path, "/open/") || len(r.Header["Origin"]) == 1 {
			t.Errorf("the upstream got %s %s from %q", r.Method, r.URL, r.Header["Origin"])
		}
	}
}

// A request OPTIONS that is no preflight is judged like any other.
func TestOptionsOfOtherClients(t *testing.T) {
	g := serve(t, false, twoTokens, corsGuard+"\trespond ok")
	for _, fields := range [][]string{nil, {"Origin: " + chat}, {"Access-Control-Request-Method: POST"}, preflight(chat, "Access-Control-Request-Method: GET")} {
		if answer, _ := g.ask(t, plainClient(), "OPTIONS", "/v1/x", fields...); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: got %d, want 401", fields, answer.StatusCode)
		}
	}
}

// Every answer to a listed origin can be read, refusals included; none to another.
func TestAnswersForPages(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, true, strings.Replace(twoTokens, "authmin {\n", "authmin {\n\t\tlockout 1 1m 5m\n", 1), corsGuard+"\thandle /v1/dead {\n\t\treverse_proxy 127.0.0.1:1\n\t}\n\thandle /v1/error {\n\t\terror 418\n\t}\n\thandle /v1/own {\n\t\trespond ok\n\t}\n\thandle {\n\t\treverse_proxy "+up.address()+"\n\t}\n")
	for version, client := range clients(t) {
		for _, c := range []struct {
			name, method, path string
			fields             []string
			status             int
			upstream           bool
		}{
			{"served", "POST", "/v1/chat/completions", []string{asUser}, 200, true},
			{"served by key", "POST", "/v1/messages", []string{keyOfUser}, 200, true},
			{"an upstream that refuses origins", "GET", "/v1/ollama", []string{asUser}, 200, true},
			{"public", "GET", "/health", nil, 200, true},
			{"public, and no preflight", "GET", "/open/ollama", preflight("x")[1:], 200, true},
			{"by the gateway", "GET", "/v1/own", []string{asUser}, 200, false},
			{"no token", "POST", "/v1/x", nil, 401, false},
			{"denied", "POST", "/never", []string{asBoss}, 403, false},
			{"ambiguous", "GET", "/v1//x", []string{asUser}, 400, false},
			{"locked out", "GET", "/v1/x", []string{"Authorization: Bearer nobody"}, 429, false},
			{"no upstream", "GET", "/v1/dead", []string{asUser}, 502, false},
			{"an error of the configuration", "GET", "/v1/error", []string{asUser}, 418, false},
		} {
			if c.status == 429 {
				g.ask(t, client, c.method, c.path, c.fields...)
			}
			for _, origin := range []string{chat, "http://localhost:3000", stranger, "null", ""} {
				listed := origin == chat || origin == "http://localhost:3000"
				status, fields := c.status, c.fields
				if origin != "" {
					fields = append([]string{"Origin: " + origin}, fields...)
				}
				if strings.Contains(c.path, "ollama") && !listed && origin != "" {
					status = 403 // as the upstream says
				}
				answer, _ := g.ask(t, client, c.method, c.path, fields...)
				if answer.StatusCode != status {
					t.Errorf("%s, %s from %q: got %d, want %d", version, c.name, origin, answer.StatusCode, status)
				}
				expectBrowserFields(t, fmt.Sprintf("%s, %s from %q", version, c.name, origin), answer, listed, origin, c.upstream && status == 200)
				r := up.last()
				if (r != nil) != c.upstream {
					t.Errorf("%s: the upstream got %v", c.name, r)
				}
				if r != nil && (r.Header["Access-Control-Request-Method"] != nil || listed && r.Header["Origin"] != nil || !listed && origin != "" && r.Header.Get("Origin") != origin) {
					t.Errorf("%s from %q: the upstream got %v", c.name, origin, r.Header)
				}
			}
		}
	}
}

func expectBrowserFields(t *testing.T, name string, answer *http.Response, listed bool, origin string, upstream bool) {
	t.Helper()
	want := "Vary: Origin"
	readable := "Retry-After, Request-Id, X-Request-Id, X-Correlation-Id, X-Task-Id, X-Model-Used, X-Should-Retry, Ratelimit, Ratelimit-Policy"
	if upstream {
		want, readable = "Vary: Origin | Accept-Encoding", readable+", X-Ratelimit-Remaining-Tokens"
	}
	if listed {
		want = "Access-Control-Allow-Origin: " + origin + "\nAccess-Control-Expose-Headers: " + readable + "\n" + want
	}
	if got := browserFields(answer.Header); got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
	if got := browserFields(answer.Trailer); got != "" {
		t.Errorf("%s: the trailers have\n%s", name, got)
	}
	if upstream && answer.Trailer.Get("X-Sum") != "1" {
		t.Errorf("%s: the trailers are %v", name, answer.Trailer)
	}
}
