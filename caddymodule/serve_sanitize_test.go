package caddymodule

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// forged is everything that a client may not say to an upstream, in several
// spellings.
var forged = []string{
	"X-Auth-Identity: boss", "x-auth-identity: boss", "X_Auth_Identity: boss", "X.Auth.Identity: boss", "X-Auth_Identity: boss",
	"X-Auth-Scopes: admin", "X_AUTH_SCOPES: admin", "X-Auth-Models: *", "X_Auth_Models: *", "Remote-User: boss", "Remote_User: boss", "X-Forwarded-User: boss",
	"X-WebAuth-User: boss", "Proxy: http://evil", "Proxy-Authorization: Basic eA==", "X-HTTP-Method-Override: DELETE",
	"X-Method-Override: DELETE", "X-Original-URL: /admin", "X-Rewrite-Url: /admin", "X-Original-Uri: /admin",
	"Connection: X-Auth-Identity, Authorization, X-Keep", "X-Keep: kept",
}

func TestHeadersTowardsTheUpstream(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, `
	authmin {
		public /health
		require infer /v1/*
		upstream_token {env.TEST_UPSTREAM}
	}
	reverse_proxy `+up.address())
	for name, c := range map[string]struct {
		path   string
		fields []string
		want   http.Header
	}{
		"a token":           {"/v1/x", []string{asUser}, http.Header{"X-Auth-Identity": {"infer-user"}, "X-Auth-Scopes": {"infer"}, "X-Auth-Models": {"*"}, "Authorization": {"Bearer " + tokenUpstream}}},
		"another":           {"/v1/x", []string{asBoss}, http.Header{"X-Auth-Identity": {"boss"}, "X-Auth-Scopes": {"admin"}, "X-Auth-Models": {"*"}, "Authorization": {"Bearer " + tokenUpstream}}},
		"public":            {"/health", nil, http.Header{}},
		"public, a token":   {"/health", []string{asUser}, http.Header{}},
		"public, two":       {"/health", []string{asUser, asBoss}, http.Header{}},
		"public, no bearer": {"/health", []string{"Authorization: Basic eDp5"}, http.Header{}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := g.ask(t, plainClient(), "GET", c.path, append(forged, c.fields...)...)
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", answer.StatusCode, body)
			}
			got := up.last().Header
			c.want["X-Keep"] = []string{"kept"}
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreMapEntries(ordinary)); diff != "" {
				t.Errorf("the upstream got (-want +got)\n%s", diff)
			}
		})
	}
}

// ordinary are the header fields that a proxy or client sends by itself.
func ordinary(name string, _ []string) bool {
	switch name {
	case "User-Agent", "Accept-Encoding", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Correlation-Id", "Connection":
		return true
	}
	return false
}

// Without a credential of its own the gateway sends none: the client's stays here.
func TestClientTokenNeverReachesTheUpstream(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, "authmin {\n\tpublic /health\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address())
	for _, path := range []string{"/health", "/v1/x"} {
		g.ask(t, plainClient(), "GET", path, asUser)
		if got := up.last().Header["Authorization"]; got != nil {
			t.Errorf("%s: the upstream got Authorization %q", path, got)
		}
	}
}

// An operator's rewrite in front of the guard does not change what is judged: the
// client's own path is.
func TestClientPathIsJudgedBeforeRewrites(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, `
	handle_path /open/* {
		authmin stripped {
			public /open/*
			require infer /private
		}
		reverse_proxy `+up.address()+`
	}
	route {
		uri strip_prefix /strip
		rewrite /to-open /open-name
		authmin routed {
			public /strip/a /open-name
			require infer /a /to-open
		}
		reverse_proxy `+up.address()+`
	}`)
	for path, c := range map[string]struct {
		status   int
		upstream string
	}{
		"/open/private": {http.StatusOK, "/private"},
		"/strip/a":      {http.StatusOK, "/a"},
		"/a":            {http.StatusUnauthorized, ""},
		"/to-open":      {http.StatusUnauthorized, ""},
		"/open-name":    {http.StatusOK, "/open-name"},
	} {
		answer, _ := g.ask(t, plainClient(), "GET", path)
		if answer.StatusCode != c.status {
			t.Errorf("%s: got %d, want %d", path, answer.StatusCode, c.status)
		}
		got := ""
		if r := up.last(); r != nil {
			got = r.RequestURI
		}
		if got != c.upstream {
			t.Errorf("%s: the upstream got %q, want %q", path, got, c.upstream)
		}
	}
}
