package authmin

import (
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSanitizeHeaderRemoves(t *testing.T) {
	names := []string{
		"X-Auth-Identity", "X-Auth-Scopes", "x-auth-identity", "X-AUTH-SCOPES", "X_Auth_Identity", "X_AUTH_SCOPES",
		"X-Auth_Identity", "X.Auth.Identity", "x.auth-scopes", "XAuthIdentity", "-X-Auth-Identity", "X--Auth--Identity", "X-Auth-Identity_",
		"X-Auth" + strings.Repeat("_", 200) + "Identity",
		"X-Auth-User", "X-Authenticated-User", "X-Consumer-Username", "Tailscale-User-Login", "Cf-Access-Authenticated-User-Email",
		"X-Ms-Client-Principal", "X-Goog-Authenticated-User-Email", "X-Ssl-Client-S-Dn", "X-Forwarded-Client-Cert", "X_Authentik_Username",
		"X-Method", "X-Original-Path", "X-Replaced-Path", "X-Host", "Script-Name", "X-Middleware-Subrequest",
		"X-Auth-Scope", "X-Auth-Roles", "X-Auth-Email", "X-Auth-Subject", "Impersonate-User", "X-Userinfo", "Client-Cert",
		"HTTP-Method-Override", "X-Override-URL", "X-Original-Request-Uri", "X-Forwarded-Prefix", "X-HTTP-DestinationURL",
		"Proxy", "proxy", "Pro_xy", "Proxy-Authorization",
		"X-HTTP-Method", "X-HTTP-Method-Override", "X_HTTP_METHOD_OVERRIDE", "X-Method-Override",
		"X-Original-URL", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-URL", "X.Rewrite.Url",
		"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Path",
		"Remote-User", "REMOTE_USER", "Remote-Groups", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email",
		"X-Forwarded-Access-Token", "X-Webauth-User", "X-Auth-Request-User", "X-Auth-Request-Access-Token",
	}
	for _, name := range names {
		h := http.Header{name: {"root", "admin"}, "Accept": {"*/*"}}
		SanitizeHeader(h)
		if diff := cmp.Diff(http.Header{"Accept": {"*/*"}}, h); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestSanitizeHeaderKeeps(t *testing.T) {
	want := http.Header{
		"Accept": {"*/*"}, "Authorization": {"Bearer x"}, "X-Forwarded-For": {"10.0.0.1"}, "Cookie": {"a=b"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Te": {"trailers"},
		"X-Correlation-Id": {"abc"}, strings.Repeat("X", 100): {"long"}, "": {"no name"},
	}
	h := want.Clone()
	SanitizeHeader(h)
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	SanitizeHeader(nil) // no header at all
}

func TestConnectionIsCut(t *testing.T) {
	cases := map[string]struct{ lines, want []string }{
		"nothing":                            {nil, nil},
		"close":                              {[]string{"close"}, []string{"close"}},
		"keep-alive in its own case":         {[]string{"Keep-Alive"}, []string{"Keep-Alive"}},
		"an upgrade":                         {[]string{"Upgrade"}, []string{"Upgrade"}},
		"an upgrade, as Firefox says it":     {[]string{"keep-alive, Upgrade"}, []string{"keep-alive, upgrade"}},
		"the identity header":                {[]string{"close, X-Auth-Identity"}, []string{"close"}},
		"the identity header alone":          {[]string{"X-Auth-Identity"}, nil},
		"the identity header on its line":    {[]string{"close", "x-auth-identity"}, []string{"close"}},
		"the credential":                     {[]string{"Authorization,te"}, []string{"te"}},
		"the forwarding header":              {[]string{"close, X-Forwarded-For"}, []string{"close"}},
		"the host":                           {[]string{"Host"}, nil},
		"the length":                         {[]string{"close, Content-Length, Transfer-Encoding"}, []string{"close"}},
		"an option twice":                    {[]string{"close, CLOSE", "close"}, []string{"close"}},
		"empty options":                      {[]string{" , ,\t,close,"}, []string{"close"}},
		"an empty line":                      {[]string{""}, nil},
		"an option with a parameter":         {[]string{"close;x"}, nil},
		"no white space that HTTP does know": {[]string{"\u00a0close"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if c.lines != nil {
				h["Connection"] = c.lines
			}
			SanitizeHeader(h)
			if diff := cmp.Diff(c.want, h["Connection"]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, there := h["Connection"]; there && c.want == nil {
				t.Error("an empty Connection is left")
			}
		})
	}
}

func TestHasForwardingHeader(t *testing.T) {
	for _, name := range []string{
		"X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "X.FORWARDED.FOR", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded",
		"X-Forwarded-" + strings.Repeat("Very-", 40) + "Long", "Forwarded", "Forwarded-For", "Via", "X-Real-IP", "X-Real-Port", "X_Real_IP",
		"CF-Connecting-IP", "CF-Ray", "Cf-Access-Jwt-Assertion", "Cdn-Loop", "CloudFront-Viewer-Address", "True-Client-IP", "Client-IP",
		"X-Client-IP", "X-Cluster-Client-IP", "X-Remote-Addr", "X-Remote-IP", "X-Originating-IP", "X-Original-Forwarded-For",
		"X-Original-Host", "X-ProxyUser-Ip", "Proxy-Client-IP", "WL-Proxy-Client-IP", "Proxy-Connection", "Proxy", "X-Proxy-Id", "Tailscale-User-Login",
		"Tailscale-Headers-Info", "Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-ARR-SSL", "X-Amzn-Trace-Id",
		"X-Amz-Cf-Id", "X-Appengine-User-IP", "X-Cloud-Trace-Context", "X-Envoy-External-Address", "Ngrok-Trace-Id", "X-Vercel-Forwarded-For",
		"X-NF-Client-Connection-IP", "Akamai-Origin-Hop", "Incap-Client-IP", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Host",
		"X-Varnish", "X-SSL-Client-Verify", "X-Auth-Identity", "x_auth_identity",
		"X-Forward-For", "Forward-For", "Z-Forwarded-For", "X-Source-Ip", "X-Remote-Host", "Remote-Addr", "X-NginX-Proxy", "X-Tunnel-Authorization",
		"X-Ingress-Path", "X-Script-Name", "Client-Cert-Chain", "Surrogate-Capability", "Max-Forwards", "Early-Data",
		"Pragma-Client-IP", "DO-Connecting-IP", "WS-Real-IP", "X-Ms-Client-Ip", "X-Custom-IP-Authorization", "X-True-IP", "Yandex-Forwarded-For",
	} {
		if !HasForwardingHeader(http.Header{"Accept": {"*/*"}, name: {""}}) {
			t.Errorf("%s is not seen", name)
		}
	}
	local := http.Header{"Accept": {"*/*"}, "User-Agent": {"curl/8"}, "Content-Type": {"x"}, "Content-Length": {"1"}, "Te": {"trailers"},
		"Host": {"via"}, "Origin": {"x"}, "Sec-Fetch-Site": {"none"}, "X-Correlation-Id": {"a"}, "Cookie": {"a"}, "Accept-Encoding": {"gzip"},
		"X-Requested-With": {"XMLHttpRequest"}, "X-Stainless-Lang": {"python"}, "Idempotency-Key": {"a"}, "Last-Event-Id": {"1"}, "Traceparent": {"00"}}
	if HasForwardingHeader(local) || HasForwardingHeader(nil) {
		t.Error("a header of a local client counts as forwarding")
	}
}

// However a name of a family is spelled, it is removed, and what is beside it stays.
func TestHeaderAliases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spelled strings.Builder
		for _, c := range rapid.SampledFrom(families).Draw(t, "name") {
			spelled.WriteString(rapid.StringMatching(`[-_.!~^]{0,2}`).Draw(t, "between"))
			if rapid.Bool().Draw(t, "upper") {
				c = unicode.ToUpper(c)
			}
			spelled.WriteRune(c)
		}
		h := http.Header{spelled.String(): {"x"}, "X-Keep": {"y"}}
		if SanitizeHeader(h); len(h) != 1 || h["X-Keep"] == nil {
			t.Errorf("%q: left %v", spelled.String(), h)
		}
	})
	for _, name := range []string{"", "-", "X", "1", "Content-Type", "X-Stainless-Os", "X-1", "Accept"} {
		h := http.Header{name: {"x"}}
		if SanitizeHeader(h); len(h) == 0 {
			t.Errorf("%q is gone", name)
		}
	}
}
