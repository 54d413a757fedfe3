package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// FuzzCORS: of all that a page, a configuration and an upstream can say, a browser reads
// only what the guard's list allows.
func FuzzCORS(f *testing.F) {
	for _, seed := range [][4]string{
		{chat, chat, "authorization,x-stainless-os", "Access-Control-Allow-Origin"},
		{chat, stranger, "x-evil", "Access-Control-Allow-Credentials"},
		{"http://localhost:3000", "http://localhost:3000", "anthropic-beta", http.TrailerPrefix + "Access-Control-Expose-Headers"},
		{"*", "null", "*", "access-control-allow-origin"},
		{"https://[::1]", "https://[::1]", "openai-x,openai-", "Timing-Allow-Origin"},
		{"https://chat.example.com:443", "https://chat.example.com:443", "anthropic-\r\nx", "Trailer"},
		{"https://chat.example.com.", chat + "\x00", "ANTHROPIC-A", "X-Ratelimit-Remaining-Tokens"},
		{"http://127.0.0.1", "http://127.0.0.1/", "x-stainless-a b", "Vary"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], "Origin, Access-Control-Allow-Origin")
	}
	f.Fuzz(func(t *testing.T, listed, sent, asked, field, value string) {
		g := &Guard{CORS: []string{listed}, Rules: []RuleConfig{{Action: "public", Paths: []string{"/*"}}}}
		g.app = &App{store: &tokenStore{leaks: newLeakFinder(func() *authmin.Keyring { return new(authmin.Keyring) })}}
		rule, err := g.corsRuleOf()
		if err != nil {
			return
		}
		expectOriginOfBrowser(t, listed)
		g.cors = rule
		origin := rule.originOf(http.Header{"Origin": {sent}})
		if want := sent == listed; (origin != "") != want || want && origin != listed {
			t.Errorf("Origin %q with %q listed: taken for %q", sent, listed, origin)
		}
		if two := rule.originOf(http.Header{"Origin": {listed, sent}}); two != "" {
			t.Errorf("two origins are taken for %q", two)
		}
		for _, name := range g.allowedHeaders(strings.Split(asked, ",")) {
			if strings.ContainsAny(name, " \r\n\x00*:,") || name != strings.ToLower(name) {
				t.Errorf("asked for %q, the preflight allows %q", asked, name)
			}
		}
		expectAnswerOfGuard(t, rule, origin, field, value)
	})
}

// expectOriginOfBrowser: an origin in the list is one that browsers send, RFC 6454 §6.2.
func expectOriginOfBrowser(t *testing.T, origin string) {
	t.Helper()
	u, err := url.Parse(origin)
	if err != nil || u.Scheme+"://"+u.Host != origin || u.Hostname() == "" || strings.ToLower(origin) != origin {
		t.Fatalf("%q is listed, and no browser sends it", origin)
	}
	if host := strings.Trim(u.Hostname(), "[]"); u.Scheme != "https" && host != "localhost" && host != "::1" && !strings.HasPrefix(host, "127.") {
		t.Errorf("%q is listed: a page that came in clear", origin)
	}
}

// expectAnswerOfGuard: whatever field the upstream adds to its answer, what browsers act
// on is the guard's.
func expectAnswerOfGuard(t *testing.T, rule *corsRule, origin, field, value string) {
	t.Helper()
	w := httptest.NewRecorder()
	s := &response{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, cors: rule, origin: origin}
	h := w.Header()
	h[field] = []string{value} // as a proxy copies it
	h[http.CanonicalHeaderKey(field)] = []string{value}
	s.keepCORS()
	vary := ""
	for name, values := range h {
		bare := strings.TrimPrefix(name, http.TrailerPrefix)
		own := origin != "" && (name == headerAllowOrigin && len(values) == 1 && values[0] == origin || name == headerExposeHeaders && !strings.Contains(values[0], "*"))
		if isForBrowsers(bare) && !own {
			t.Errorf("%q: %q from the upstream leaves %q: %q", field, value, name, values)
		}
		if name == "Trailer" && slices.ContainsFunc(strings.Split(strings.Join(values, ","), ","), func(one string) bool { return isForBrowsers(strings.TrimSpace(one)) }) {
			t.Errorf("trailers %q are announced", values)
		}
		if strings.EqualFold(name, "Vary") {
			vary += strings.Join(values, ",") + ","
		}
	}
	if !strings.Contains(strings.ToLower(vary), "origin") {
		t.Errorf("%q: %q: a cache may give the answer to another origin: Vary %q", field, value, vary)
	}
}

// isForBrowsers is written anew here, without isOfBrowsers.
func isForBrowsers(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "access-control-") || name == "timing-allow-origin"
}
