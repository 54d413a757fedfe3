package caddymodule

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// What cannot be seen from the configuration is refused when it happens: with
// the bypass on, the second guard would take the request for a local one, since
// the first has removed its credential.
func TestASecondGuardRefuses(t *testing.T) {
	up := newUpstream(t, nil)
	globals := "\tauthmin {\n\t\ttoken infer-user {env.TEST_INFER} infer\n\t\toptional true\n\t}\n"
	g := serve(t, false, globals, `
	route {
		authmin first {
			require infer /v1/*
		}
	}
	route {
		authmin second {
			require admin /v1/*
		}
	}
	reverse_proxy `+up.address())
	for _, fields := range [][]string{{asUser}, {"Host: " + g.address}} {
		if answer, body := g.ask(t, plainClient(), "GET", "/v1/x", fields...); answer.StatusCode != 500 {
			t.Errorf("with %.20q: got %d %s, want 500", fields, answer.StatusCode, body)
		}
	}
	if up.last() != nil {
		t.Error("the upstream was reached")
	}
}

// The guard in the error routes judges what the client sent, not what the first one
// has put there for the upstream: that would be a bad token of the client's.
func TestAGuardInTheErrorRoutesChecksTheClientsToken(t *testing.T) {
	up := newUpstream(t, nil)
	globals := strings.TrimSuffix(twoTokens, "\t}\n") + "\t\tlockout 1 1m 5m\n\t}\n"
	const guard = `
		public /open/*
		require infer /v1/*
		upstream_token {env.TEST_PLAIN}
	}
`
	t.Setenv("TEST_PLAIN", "canary-plain-0123456789abcdefghijklmnop")
	g := serve(t, false, globals, "\tauthmin first {"+guard+"\treverse_proxy 127.0.0.1:1\n\thandle_errors {\n\tauthmin fallback {"+guard+
		"\theader X-Mark {http.vars.authmin.guard}\n\treverse_proxy "+up.address()+"\n\t}\n")
	for range 3 {
		answer, body := g.ask(t, plainClient(), "GET", "/v1/x", asUser)
		if r := up.last(); answer.StatusCode != 200 || r == nil {
			t.Fatalf("a valid token: %d %s", answer.StatusCode, body)
		} else if got := r.Header; got.Get(authmin.HeaderIdentity) != "infer-user" || got.Get("Authorization") != "Bearer "+"canary-plain-0123456789abcdefghijklmnop" {
			t.Errorf("the upstream got %v", got)
		}
		if mark := answer.Header.Get("X-Mark"); mark != "[redacted]" {
			t.Errorf("a placeholder shows %q", mark)
		}
	}
	if got := statusOf(t, g, "/v1/x"); got != 401 {
		t.Errorf("without a token: %d", got)
	}
	if got := statusOf(t, g, "/open/x"); got != 200 {
		t.Errorf("a public path: %d", got)
	} else if r := up.last(); r == nil || r.Header.Get("Authorization") != "" || r.Header.Get(authmin.HeaderIdentity) != "" {
		t.Errorf("the upstream got %v", r)
	}
}
