package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// TestAShadowGuardAddsNothingToWhatItWouldRefuse: a shadow guard forwards a request that the
// policy refuses, as one of no identity. With the gateway's credential, or an identity, the
// upstream would take it for one that was allowed.
func TestAShadowGuardAddsNothingToWhatItWouldRefuse(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, true, twoTokens, "authmin {\n\tshadow\n\tpublic /open\n\trequire admin /v1/*\n\tupstream_token {env.TEST_UPSTREAM}\n}\nreverse_proxy "+up.address())
	added := []string{"Authorization", authmin.HeaderIdentity, authmin.HeaderScopes, authmin.HeaderModels}
	for version, client := range clients(t) {
		for name, c := range map[string]struct {
			path  string
			field string
		}{
			"no token":                  {"/v1/x", "X-Nothing: 1"},
			"an unknown token":          {"/v1/x", "Authorization: Bearer " + strings.Repeat("x", 40)},
			"a malformed one":           {"/v1/x", "Authorization: Basic eDp5"},
			"a token without the scope": {"/v1/x", asUser},
			"no rule, and a token":      {"/other", asBoss},
			"a public route":            {"/open", asBoss},
			"an identity of its own":    {"/v1/x", authmin.HeaderIdentity + ": boss"},
		} {
			answer, _ := g.ask(t, client, "GET", c.path, c.field)
			got := up.last()
			if answer.StatusCode != http.StatusOK || got == nil {
				t.Errorf("%s, %s: got %d, %v at the upstream; want it forwarded", version, name, answer.StatusCode, got)
				continue
			}
			for _, field := range added {
				if lines := got.Header[field]; lines != nil {
					t.Errorf("%s, %s: the upstream got %d lines of %s, want none", version, name, len(lines), field)
				}
			}
			expectNoToken(t, fmt.Sprint(got.Header))
		}
		g.ask(t, client, "GET", "/v1/x", asBoss)
		if got := up.last(); got == nil || got.Header.Get(authmin.HeaderIdentity) != "boss" || got.Header.Get("Authorization") == "" {
			t.Errorf("%s: an allowed request has neither identity nor credential", version)
		}
	}
}

// TestPlaceholdersOfARequestAreNotReplaced: what a client sends may look like a placeholder
// of Caddy's. It is text: replaced, it would show a secret of the gateway to the client.
func TestPlaceholdersOfARequestAreNotReplaced(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address()+" {\n\theader_up X-Copy {http.request.uri.query}\n}")
	const named = "{env.TEST_ADMIN}"
	g.ask(t, plainClient(), "GET", "/v1/x?model="+named, asUser, "User-Agent: "+named, "X-Note: "+named, "X-Correlation-Id: "+named)
	got := up.last()
	if got == nil {
		t.Fatal("the upstream was not asked")
	}
	for what, text := range map[string]string{"query": got.URL.RawQuery, "User-Agent": got.UserAgent(), "X-Note": got.Header.Get("X-Note"), "X-Copy": got.Header.Get("X-Copy")} {
		if !strings.Contains(text, named) {
			t.Errorf("%s: got %q, want %s as it was sent", what, text, named)
		}
	}
	expectNoToken(t, fmt.Sprint(got.Header, got.RequestURI))
	g.recordsOf(t, 1)
	expectNoToken(t, readFile(t, g.log))
}

// TestOptionalIsReplacedOnce: the value of the variable that `optional` names is no
// placeholder again.
func TestOptionalIsReplacedOnce(t *testing.T) {
	t.Setenv("TEST_OUTER", "{env.TEST_INNER}")
	t.Setenv("TEST_INNER", "true")
	site := "http://x:8080 {\n\tbind 127.0.0.1\n\tauthmin\n\trespond ok\n}\n"
	config := func(name string) string {
		return options(silent, "\tauthmin {\n\t\toptional {env."+name+"}\n\t}\n") + site
	}
	if err := validate(t, config("TEST_INNER")); err != nil {
		t.Errorf("a variable that says true: %v", err)
	}
	expectRefused(t, validate(t, config("TEST_OUTER")), "neither true nor false")
}
