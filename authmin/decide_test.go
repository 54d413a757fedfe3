package authmin

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func guardOf(t testing.TB, ring *Keyring) *Decider {
	t.Helper()
	return &Decider{Policy: shipped(t), Keyring: func() *Keyring { return ring }}
}

// request is one from the network, with these lines of Authorization.
func request(method, target string, authorization ...string) *Request {
	r := &Request{
		Method: method, Target: target, Host: "gateway.example.com", Header: http.Header{},
		Peer: netip.MustParseAddr("203.0.113.9"), Listener: Listener{Port: "443", TLS: true},
	}
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	return r
}

// identityOf is what the audit trail calls the sender of a request: by the
// fingerprint of its token, known or not.
func identityOf(r *Request) string {
	lines := r.Header["Authorization"]
	if len(lines) == 1 {
		if token, ok := strings.CutPrefix(lines[0], "Bearer "); ok {
			return "token:" + NewSecret(token).Fingerprint()
		}
	}
	return NameAnonymous
}

func bearer(name string) string { return "Bearer " + tokenOf(name) }

func TestDecide(t *testing.T) {
	with := func(r *Request, change func(*Request)) *Request { change(r); return r }
	const infer, admin = "/v1/models", "/admin/pools"
	cases := map[string]struct {
		request *Request
		reason  Reason
		problem *Problem
		name    string // who asks, when known
		rule    int
	}{
		"a token with the scope":               {request("GET", infer, bearer("ci")), ReasonNone, nil, "ci", 3},
		"scope admin everywhere":               {request("GET", infer, bearer("ops")), ReasonNone, nil, "ops", 3},
		"the second of a rule's scopes":        {request("PUT", "/v2/nodes/n1", bearer("many")), ReasonNone, nil, "many", 4},
		"a token without the scope":            {request("GET", "/metrics", bearer("ci")), ReasonScope, &ProblemScope, "ci", 1},
		"no token":                             {request("GET", infer), ReasonMissing, &ProblemMissingToken, "", 3},
		"two tokens":                           {request("GET", infer, bearer("ci"), bearer("ci")), ReasonMalformed, &ProblemBadToken, "", 3},
		"a malformed token":                    {request("GET", infer, "Basic eA=="), ReasonMalformed, &ProblemBadToken, "", 3},
		"an unknown token":                     {request("GET", infer, bearer("x")), ReasonUnknown, &ProblemBadToken, "", 3},
		"an expired token":                     {request("GET", infer, bearer("old")), ReasonExpired, &ProblemBadToken, "", 3},
		"a revoked token":                      {request("GET", infer, bearer("gone")), ReasonRevoked, &ProblemBadToken, "", 3},
		"a token of the future":                {request("GET", infer, bearer("later")), ReasonNotYet, &ProblemBadToken, "", 3},
		"a public path without a token":        {request("GET", "/health"), ReasonNone, nil, "", 0},
		"a public path with a token":           {request("GET", "/health", bearer("ci")), ReasonNone, nil, "", 0},
		"a public path with an invalid token":  {request("GET", "/health", bearer("x")), ReasonNone, nil, "", 0},
		"a public path with a malformed token": {request("GET", "/health", "", "x"), ReasonNone, nil, "", 0},
		"a public path by another method":      {request("POST", "/health"), ReasonMissing, &ProblemMissingToken, "", NoRule},
		"no rule and no token":                 {request("GET", admin), ReasonMissing, &ProblemMissingToken, "", NoRule},
		"no rule and an invalid token":         {request("GET", admin, bearer("x")), ReasonUnknown, &ProblemBadToken, "", NoRule},
		"no rule and a token":                  {request("GET", admin, bearer("ci")), ReasonPolicy, &ProblemDenied, "ci", NoRule},
		"no rule, and not even for admin":      {request("GET", admin, bearer("ops")), ReasonPolicy, &ProblemDenied, "ops", NoRule},
		"a deny without a token":               {request("GET", "/v1/models/private/x"), ReasonMissing, &ProblemMissingToken, "", 2},
		"a deny, and not even for admin":       {request("GET", "/v1/models/private/x", bearer("ops")), ReasonPolicy, &ProblemDenied, "ops", 2},
		"an ambiguous path":                    {request("GET", "/health/../v1", bearer("ops")), ReasonPath, &ProblemBadRequest, "", NoRule},
		"an ambiguous path below public":       {request("GET", "/public/..%2fadmin"), ReasonPath, &ProblemBadRequest, "", NoRule},
		"an encoded slash between two rules":   {request("GET", "/v1/models/private%2Fx", bearer("ops")), ReasonPath, &ProblemBadRequest, "", NoRule},
		"CONNECT":                              {request("CONNECT", "/health", bearer("ops")), ReasonPath, &ProblemBadRequest, "", NoRule},
		"TRACE":                                {request("TRACE", "/health", bearer("ops")), ReasonPath, &ProblemBadRequest, "", NoRule},
		"a method in lower case":               {request("delete", infer, bearer("ops")), ReasonPath, &ProblemBadRequest, "", NoRule},
		"a method in mixed case":               {request("Trace", "/health"), ReasonPath, &ProblemBadRequest, "", NoRule},
		"a method with a hyphen":               {request("M-SEARCH", infer, bearer("ci")), ReasonNone, nil, "ci", 3},
		"OPTIONS is like any method":           {request("OPTIONS", infer), ReasonMissing, &ProblemMissingToken, "", 3},
		"an upgrade to h2c":                    {with(request("GET", "/health"), func(r *Request) { r.Header.Set("Upgrade", "h2c") }), ReasonPath, &ProblemBadRequest, "", NoRule},
		"a length that is no number":           {with(request("POST", infer, bearer("ci")), func(r *Request) { r.Header.Set("Content-Length", "18446744073709551621") }), ReasonPath, &ProblemBadRequest, "", NoRule},
		"two lengths":                          {with(request("POST", infer, bearer("ci")), func(r *Request) { r.Header["Content-Length"] = []string{"5", "6"} }), ReasonPath, &ProblemBadRequest, "", NoRule},
		"a length":                             {with(request("POST", infer, bearer("ci")), func(r *Request) { r.Header.Set("Content-Length", "5") }), ReasonNone, nil, "ci", 3},
		"an empty Host":                        {with(request("GET", "/health"), func(r *Request) { r.Host = "" }), ReasonHost, &ProblemBadRequest, "", NoRule},
		"an invalid Host":                      {with(request("GET", "/health"), func(r *Request) { r.Host = "a@b" }), ReasonHost, &ProblemBadRequest, "", NoRule},
		"a token in the query":                 {request("GET", infer+"?access_token="+tokenOf("ci")), ReasonMissing, &ProblemMissingToken, "", 3},
		"a token in other headers": {with(request("GET", infer), func(r *Request) {
			for _, name := range []string{"Proxy-Authorization", "X-Api-Key", "X-Authorization", "Sec-Websocket-Protocol", "Cookie", "authorization_"} {
				r.Header[name] = []string{bearer("ci")}
			}
		}), ReasonMissing, &ProblemMissingToken, "", 3},
		"a forged identity": {with(request("GET", infer), func(r *Request) {
			r.Header[HeaderIdentity], r.Header[HeaderScopes] = []string{"ops"}, []string{"admin"}
		}), ReasonMissing, &ProblemMissingToken, "", 3},
		"a forged identity with a token": {with(request("GET", "/metrics", bearer("ci")), func(r *Request) {
			r.Header[HeaderIdentity], r.Header[HeaderScopes] = []string{"ops"}, []string{"admin"}
		}), ReasonScope, &ProblemScope, "ci", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := guardOf(t, fourKinds(t)).Decide(c.request, noon)
			if d.Reason != c.reason || d.Problem != c.problem || d.Rule != c.rule || d.Allow != (c.problem == nil) {
				t.Errorf("got allow %v, reason %q, rule %d, problem %v; want %q, %d, %v", d.Allow, d.Reason, d.Rule, d.Problem, c.reason, c.rule, c.problem)
			}
			if d.Name != c.name || (d.Token != nil) != (c.name != "") {
				t.Errorf("got %q (%q) with token %v, want %q", d.Name, d.Identity, d.Token, c.name)
			}
			want := identityOf(c.request)
			if d.Public || d.Rule == NoRule && d.Reason == ReasonPath { // nothing is looked up
				want = NameAnonymous
			}
			if d.Identity != want {
				t.Errorf("got identity %q, want %q", d.Identity, want)
			}
			if c.name == "" && d.Scopes != nil {
				t.Errorf("a request without an identity has scopes %v", d.Scopes)
			}
			if d.Public != (d.Allow && c.rule == 0) {
				t.Errorf("got public %v", d.Public)
			}
		})
	}
}

// A request with an invalid credential never counts as one without, or as a local one.
func TestInvalidTokensAreNotDowngraded(t *testing.T) {
	for name, lines := range map[string][]string{
		"unknown": {bearer("x")}, "expired": {bearer("old")}, "revoked": {bearer("gone")}, "not yet": {bearer("later")},
		"malformed": {"Basic eA=="}, "empty": {""}, "twice": {bearer("ci"), bearer("ci")},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardOf(t, fourKinds(t))
			g.Optional, g.TrustProxies, g.ProxyScopes = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllScopes()
			r := localRequest()
			r.Header["Authorization"], r.Header[HeaderIdentity] = lines, []string{"alice"}
			if d := g.Decide(r, noon); d.Allow || d.Problem != &ProblemBadToken || d.Name != "" || d.Scopes != nil {
				t.Errorf("got allow %v as %q with %v: %v", d.Allow, d.Name, d.Scopes, d.Problem)
			}
		})
	}
}

// TestInvalidTokensCountForTheLockout: a guesser that presents revoked or malformed tokens is
// one too. Requests without a credential, or with a token that lacks the scope, are none.
func TestInvalidTokensCountForTheLockout(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  bool
	}{
		"unknown": {[]string{bearer("x")}, true}, "expired": {[]string{bearer("old")}, true}, "revoked": {[]string{bearer("gone")}, true},
		"not yet": {[]string{bearer("later")}, true}, "malformed": {[]string{"Basic eA=="}, true}, "twice": {[]string{bearer("ci"), bearer("ci")}, true},
		"none": {nil, false}, "valid, without the scope": {[]string{bearer("ci")}, false},
	} {
		d := guardOf(t, fourKinds(t)).Decide(request("GET", "/v2/nodes", c.lines...), noon)
		if got := d.BadToken(); got != c.want || d.Allow {
			t.Errorf("%s: BadToken is %v, want %v (allowed %v, %v)", name, got, c.want, d.Allow, d.Reason)
		}
	}
}

func TestProxyIdentity(t *testing.T) {
	cases := map[string]struct {
		peer  string
		names []string
		want  string // "" for a refusal
	}{
		"a trusted proxy":                       {"10.1.2.3", []string{"alice"}, "proxy:alice"},
		"a trusted proxy on this machine":       {"127.0.0.1", []string{"alice"}, "proxy:alice"},
		"a proxy out of the network":            {"10.2.0.1", []string{"alice"}, ""},
		"a mapped address is not unmapped":      {"::ffff:10.1.2.3", []string{"alice"}, ""},
		"a zoned address":                       {"fe80::1%eth0", []string{"alice"}, ""},
		"no address":                            {"", []string{"alice"}, ""},
		"no name":                               {"10.1.2.3", nil, ""},
		"an empty name":                         {"10.1.2.3", []string{""}, ""},
		"two names":                             {"10.1.2.3", []string{"alice", "bob"}, ""},
		"a list of names":                       {"10.1.2.3", []string{"alice,bob"}, ""},
		"a name with a space":                   {"10.1.2.3", []string{"alice "}, ""},
		"a name with a colon":                   {"10.1.2.3", []string{"token:9f86d0"}, ""},
		"a local proxy names no identity":       {"127.0.0.1", nil, ""},
		"a local proxy's name in upper case":    {"127.0.0.1", []string{"Alice"}, ""},
		"a local proxy's name with an address":  {"127.0.0.1", []string{"alice@example.com"}, ""},
		"the name of the bypass is only a name": {"10.1.2.3", []string{"localhost"}, "proxy:localhost"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := guardOf(t, fourKinds(t))
			g.Optional = true // which must not help a proxy
			g.TrustProxies = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fe80::/10")}
			g.ProxyScopes = []Scope{ScopeInfer}
			r := localRequest()
			r.Peer = netip.Addr{}
			if c.peer != "" {
				r.Peer = netip.MustParseAddr(c.peer)
			}
			if c.names != nil {
				r.Header[HeaderIdentity] = c.names
				r.Header[HeaderScopes] = []string{"admin"} // never believed
			}
			d := g.Decide(r, noon)
			if d.Name != c.want || d.Allow != (c.want != "") {
				t.Fatalf("got %q, allow %v, want %q", d.Name, d.Allow, c.want)
			}
			if d.Allow && !slices.Equal(d.Scopes, g.ProxyScopes) {
				t.Errorf("got scopes %v", d.Scopes)
			}
			g.ProxyScopes = nil
			if d := g.Decide(r, noon); d.Allow {
				t.Errorf("without scopes of its own a proxy is allowed as %q", d.Name)
			}
		})
	}
}

func TestDecideAsksForTheKeyringOfTheMoment(t *testing.T) {
	ring := mustKeyring(t)
	g := &Decider{Policy: shipped(t), Keyring: func() *Keyring { return ring }}
	r := request("GET", "/v1/models", bearer("ci"))
	if d := g.Decide(r, noon); d.Allow {
		t.Error("an empty keyring allows a request")
	}
	ring = fourKinds(t)
	if d := g.Decide(r, noon); !d.Allow {
		t.Errorf("refused: %s", d.Reason)
	}
	ring = nil
	if d := g.Decide(r, noon); d.Allow || d.Reason != ReasonUnknown {
		t.Error("a result was remembered")
	}
}

func TestDecideOnAnEmptyPolicy(t *testing.T) {
	g := &Decider{Policy: &Policy{}, Keyring: func() *Keyring { return fourKinds(t) }, Optional: true}
	for _, r := range []*Request{request("GET", "/health"), request("GET", "/", bearer("ops")), localRequest()} {
		if d := g.Decide(r, noon); d.Allow {
			t.Errorf("%s %s is allowed", r.Method, r.Target)
		}
	}
}

func TestAllows(t *testing.T) {
	cases := map[string]struct {
		held, wanted []Scope
		want         bool
	}{
		"the scope":                 {[]Scope{ScopeInfer}, []Scope{ScopeInfer}, true},
		"one of two":                {[]Scope{ScopeNodes, ScopeInfer}, []Scope{ScopeMetrics, ScopeInfer}, true},
		"admin":                     {[]Scope{ScopeAdmin}, []Scope{"anything"}, true},
		"another":                   {[]Scope{ScopeNodes}, []Scope{ScopeInfer}, false},
		"a prefix":                  {[]Scope{"inf"}, []Scope{ScopeInfer}, false},
		"another case":              {[]Scope{"Admin"}, []Scope{ScopeInfer}, false},
		"none held":                 {nil, []Scope{ScopeInfer}, false},
		"none wanted":               {[]Scope{ScopeInfer}, nil, false},
		"none wanted, and an admin": {[]Scope{ScopeAdmin}, nil, false},
		"nothing of nothing":        {nil, nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Allows(c.held, c.wanted...); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
