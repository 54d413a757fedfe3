package authmin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestCheckOrigin(t *testing.T) {
	for _, good := range []string{
		"https://chat.example.com", "https://chat.example.com:8443", "https://xn--bcher-kva.example", "https://intranet", "https://a_b.example",
		"https://192.0.2.7", "https://[2001:db8::7]:8443", "https://1password.example", "http://localhost:3000", "http://localhost", "https://localhost:3000",
		"http://127.0.0.1:5173", "http://127.0.0.2", "http://[::1]:3000",
	} {
		if err := CheckOrigin(good); err != nil {
			t.Errorf("%s: refused: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"*": "every page", "null": "sandboxed", "": "want https", "chat.example.com": "want https", "//chat.example.com": "want https",
		"HTTPS://chat.example.com": "want https", "ftp://chat.example.com": "want https", "chrome-extension://abcdef": "want https", "https:chat.example.com": "want https",
		"https://*.example.com": "*", "https://*": "*", "https://": "nothing behind", "https://:8443": "nothing behind",
		"https://chat.example.com/": "nothing behind", "https://chat.example.com/app": "nothing behind", "https://chat.example.com?x": "nothing behind", "https://chat.example.com#x": "nothing behind",
		"https://user@chat.example.com": "nothing behind", "https://chat.example.com:": "port", "https://chat.example.com:0": "port", "https://chat.example.com:08443": "port",
		"https://chat.example.com:65536": "nothing behind", "https://chat.example.com:https": "nothing behind", "https://chat.example.com:443": "leave out", "http://localhost:80": "leave out",
		"https://Chat.example.com": "lower case", "https://chat.example.com, https://b.example": "nothing behind", "https://bücher.example": "xn--", "https://chat..example": "not a name", "https://chat.example.": "not a name",
		"https://127.1": "not a name", "https://2130706433": "not a name", "https://[2001:DB8::7]": "lower case", "https://[2001:db8:0::7]": "2001:db8::7", "https://0x7f.1": "not a name",
		"http://chat.example.com": "http is for", "http://192.0.2.7": "http is for", "http://localhost.example.com": "http is for", "http://app.localhost": "http is for", "http://[::ffff:8.8.8.8]": "http is for",
		"https://chat.example.com\n": "nothing behind", " https://chat.example.com": "want https", "https://chat.example.com ": "nothing behind", "https://%63hat.example.com": "nothing behind",
	} {
		if err := CheckOrigin(bad); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want %q", bad, err, why)
		}
	}
}

func preflightFor(target string) *Request {
	r := request("OPTIONS", target)
	r.Header[HeaderOrigin] = []string{"https://chat.example.com"}
	r.Header["Access-Control-Request-Method"] = []string{"POST"}
	return r
}

func TestIsPreflight(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		change func(http.Header)
		want   bool
	}{
		"a preflight":         {"OPTIONS", func(http.Header) {}, true},
		"another method":      {"GET", func(http.Header) {}, false},
		"no origin":           {"OPTIONS", func(h http.Header) { delete(h, "Origin") }, false},
		"two origins":         {"OPTIONS", func(h http.Header) { h["Origin"] = []string{"https://a.example", "https://b.example"} }, false},
		"no method asked for": {"OPTIONS", func(h http.Header) { delete(h, "Access-Control-Request-Method") }, false},
		"an empty one":        {"OPTIONS", func(h http.Header) { h["Access-Control-Request-Method"] = []string{""} }, false},
		"two":                 {"OPTIONS", func(h http.Header) { h["Access-Control-Request-Method"] = []string{"GET", "POST"} }, false},
	} {
		h := preflightFor("/").Header
		c.change(h)
		if got := IsPreflight(c.method, h); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestPreflightHeaders(t *testing.T) {
	h := http.Header{"Access-Control-Request-Headers": {"authorization, x-stainless-os,,content-type", "x-api-key"}}
	if got := PreflightHeaders(h); !slices.Equal(got, []string{"authorization", "x-stainless-os", "content-type", "x-api-key"}) {
		t.Errorf("got %q", got)
	}
	h["Access-Control-Request-Headers"] = []string{strings.Repeat("a,", 5000)}
	if got := PreflightHeaders(h); len(got) != 128 {
		t.Errorf("got %d names", len(got))
	}
}

// Without a token, for paths of every kind of rule, and of none; credentials that a
// preflight has by mistake are not looked at.
func TestDecidePreflight(t *testing.T) {
	g := guardOf(t, fourKinds(t))
	for _, target := range []string{"/health", "/v1/models", "/metrics", "/v1/models/private/x", "/nothing/at/all", "/V1/models", "/health/", "/v1/models?x=1"} {
		for _, credential := range []string{"", "Bearer nobody", bearer("gone")} {
			r := preflightFor(target)
			if credential != "" {
				r.Header["Authorization"] = []string{credential}
			}
			d := g.DecidePreflight(r)
			if !d.Allow || !d.Public || d.Name != "" || d.Scopes != nil || d.Token != nil || d.Identity != NameAnonymous || d.Rule != NoRule {
				t.Errorf("%s with %q: got %+v", target, credential, d)
			}
		}
	}
	for _, target := range []string{"/v1/../x", "/v1//x", "/v1/%2e%2e/x", "/v1/x;y", "*", "/v1/a%2Fb", `/v1\x`} {
		if d := g.DecidePreflight(preflightFor(target)); d.Allow || d.Problem != &ProblemBadRequest {
			t.Errorf("%s: got %+v", target, d)
		}
	}
	r := preflightFor("/v1/models")
	r.Host = ""
	if d := g.DecidePreflight(r); d.Allow || d.Reason != ReasonHost {
		t.Errorf("without a Host: got %+v", d)
	}
}

// A page of another origin has no loopback bypass, whatever the origin.
func TestAPageOfAnotherOriginHasNoBypass(t *testing.T) {
	g := guardOf(t, fourKinds(t))
	g.Optional = true
	for _, origin := range []string{"http://localhost:3000", "https://chat.example.com", "null"} {
		r := localRequest()
		r.Header[HeaderOrigin] = []string{origin}
		if d := g.Decide(r, noon); d.Allow || d.Problem != &ProblemForeignOrigin {
			t.Errorf("%s: got %+v", origin, d)
		}
	}
}
