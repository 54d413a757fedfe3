package backend

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/authmin"
)

// seen is what a handler behind the guard gets to know.
type seen struct {
	Caller Caller
	ID     string
	Header http.Header
}

// backend is a guarded service over real connections; it keeps what the last
// request that passed looked like, and all that was logged.
type backend struct {
	server *httptest.Server
	last   *seen
	log    bytes.Buffer
}

func newBackend(t *testing.T, token, upstream authmin.Secret) *backend {
	t.Helper()
	b := &backend{}
	guard, err := NewAuthenticator(AuthOptions{Service: "test", Listen: "127.0.0.1:0", Token: token, UpstreamToken: upstream,
		Log: slog.New(slog.NewJSONHandler(&b.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.last = &seen{Caller: CallerFrom(r.Context()), ID: authmin.CorrelationID(r.Context()), Header: r.Header}
	})))
	t.Cleanup(b.server.Close)
	return b
}

// do sends a request with these header lines, and returns the answer's status.
func (b *backend) do(t *testing.T, method, target string, h http.Header) (*http.Response, string) {
	t.Helper()
	b.last = nil
	r, err := http.NewRequest(method, b.server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = target // as it stands, without a clean-up
	if h != nil {
		r.Header = h
	}
	resp, err := b.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestOnlyExactHealthAndReadyAreOpen(t *testing.T) {
	b := newBackend(t, secretOf("api"), secretOf("gateway"))
	for _, target := range []string{"/health", "/health?x=1", "/health?", "/ready", "/ready?x=1"} {
		if resp, _ := b.do(t, "GET", target, nil); resp.StatusCode != 200 || b.last == nil || b.last.Caller.Name != "" || b.last.Caller.Scopes != nil {
			t.Errorf("GET %s: %d as %v", target, resp.StatusCode, b.last)
		}
	}
	for _, target := range []string{"/", "/health/", "/healthz", "/ready/", "/readyz", "/Ready", "/%72eady", "/ready/x", "//ready", "/v1/ready", "/Health", "/HEALTH", "/%68ealth", "/healt%68", "/%2Fhealth", "/./health",
		"/x/../health", "/health/.", "/health/..", "/health;x", "/health%00", "/health%20", "/health%3F", "/health%23", "/health/x", "/v1/health", "/metrics", "/v2/tasks"} {
		resp, body := b.do(t, "GET", target, nil)
		if resp.StatusCode != 401 || b.last != nil || resp.Header.Get("Www-Authenticate") != `Bearer realm="llorch"` || !strings.Contains(body, "MISSING_TOKEN") {
			t.Errorf("GET %s: %d %s", target, resp.StatusCode, body)
		}
	}
	if resp, body := b.do(t, "HEAD", "/health", nil); resp.StatusCode != 200 || body != "" || b.last == nil || b.last.Caller.Name != "" {
		t.Errorf("HEAD /health: %d %q as %v", resp.StatusCode, body, b.last)
	}
	if resp, _ := b.do(t, "HEAD", "/metrics", nil); resp.StatusCode != 401 || b.last != nil {
		t.Errorf("HEAD /metrics: %d", resp.StatusCode)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "PROPFIND"} {
		for _, path := range []string{"/health", "/ready"} {
			if resp, _ := b.do(t, method, path, nil); resp.StatusCode != 401 || b.last != nil {
				t.Errorf("%s %s: %d", method, path, resp.StatusCode)
			}
		}
	}
}

func TestBackendRefusesCredentials(t *testing.T) {
	b := newBackend(t, secretOf("api"), secretOf("gateway"))
	good, bad := bearerOf("api"), bearerOf("x")
	for name, lines := range map[string][]string{
		"an unknown token": {bad}, "another scheme": {"Basic eA=="}, "an empty line": {""}, "the scheme alone": {"Bearer"},
		"two lines, the good one last": {bad, good}, "two lines, the good one first": {good, bad}, "two good lines": {good, good},
		"the good one and the gateway's": {good, bearerOf("gateway")}, "a comma": {good + "," + good}, "a longer token": {good + "a"}, "a shorter token": {good[:len(good)-1]},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := b.do(t, "GET", "/v2/tasks", http.Header{"Authorization": lines})
			if resp.StatusCode != 401 || b.last != nil || resp.Header.Get("Www-Authenticate") != `Bearer realm="llorch", error="invalid_token"` || !strings.Contains(body, "BAD_TOKEN") {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
			if resp.Header.Get(authmin.HeaderCorrelationID) == "" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got header %v", resp.Header)
			}
		})
	}
	for _, target := range []string{"/v2/tasks?access_token=" + tokenOf("api"), "/v2/tasks?token=" + tokenOf("api")} {
		if resp, _ := b.do(t, "GET", target, http.Header{"X-Api-Key": {tokenOf("api")}, "Cookie": {"token=" + tokenOf("api")}, "Proxy-Authorization": {good}}); resp.StatusCode != 401 {
			t.Errorf("a token out of its place: %d", resp.StatusCode)
		}
	}
	for _, private := range []string{tokenOf("api"), tokenOf("gateway"), tokenOf("x")} {
		if leaks(b.log.String(), private) {
			t.Errorf("the log holds a token: %s", b.log.String())
		}
	}
	if who := `"identity":"token:` + secretOf("x").Fingerprint() + `","fp6":"` + secretOf("x").Fingerprint() + `"`; !strings.Contains(b.log.String(), who) {
		t.Errorf("the log does not say whose token was refused, %s: %s", who, b.log.String())
	}
	if who := `"identity":"anonymous","fp6":""`; !strings.Contains(b.log.String(), who) {
		t.Errorf("the log does not say that a call had no token, %s: %s", who, b.log.String())
	}
	if !strings.Contains(b.log.String(), `"reason":"unknown"`) || !strings.Contains(b.log.String(), `"correlation_id":"`) {
		t.Errorf("the log does not say why: %s", b.log.String())
	}
}

func TestBackendIdentity(t *testing.T) {
	gateway, own := bearerOf("gateway"), bearerOf("api")
	none := new(authmin.Models)
	tiny, err := authmin.ParseModels("tiny,team-*")
	if err != nil {
		t.Fatal(err)
	}
	with := func(models ...string) http.Header {
		return http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci"}, authmin.HeaderModels: models}
	}
	sameModels := cmp.Comparer(func(a, b *authmin.Models) bool { return a.String() == b.String() })
	cases := map[string]struct {
		header http.Header
		want   Caller
	}{
		"the gateway for a token":              {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci"}, authmin.HeaderScopes: {"infer,nodes"}}, Caller{"ci", []authmin.Scope{authmin.ScopeInfer, authmin.ScopeNodes}, none}},
		"the gateway for a proxy's user":       {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"proxy:alice"}, authmin.HeaderScopes: {"infer"}}, Caller{"proxy:alice", []authmin.Scope{authmin.ScopeInfer}, none}},
		"the gateway for a local client":       {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"localhost"}, authmin.HeaderScopes: {"admin"}}, Caller{"localhost", []authmin.Scope{authmin.ScopeAdmin}, none}},
		"the gateway without an identity":      {http.Header{"Authorization": {gateway}}, Caller{}},
		"the gateway with scopes alone":        {http.Header{"Authorization": {gateway}, authmin.HeaderScopes: {"admin"}}, Caller{}},
		"the gateway with an empty identity":   {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {""}, authmin.HeaderScopes: {"admin"}}, Caller{}},
		"the gateway with two identities":      {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci", "ops"}, authmin.HeaderScopes: {"admin"}}, Caller{}},
		"the gateway with a strange identity":  {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"Alice <a@b>"}, authmin.HeaderScopes: {"admin"}}, Caller{}},
		"the gateway with a prefix alone":      {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"proxy:"}, authmin.HeaderScopes: {"admin"}}, Caller{}},
		"the gateway with a long identity":     {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {strings.Repeat("a", 65)}, authmin.HeaderScopes: {"admin"}}, Caller{}},
		"the gateway without scopes":           {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci"}}, Caller{"ci", nil, none}},
		"the gateway with empty scopes":        {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci"}, authmin.HeaderScopes: {""}}, Caller{"ci", nil, none}},
		"the gateway with two lines":           {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci"}, authmin.HeaderScopes: {"infer", "admin"}}, Caller{"ci", nil, none}},
		"the gateway with malformed scopes":    {http.Header{"Authorization": {gateway}, authmin.HeaderIdentity: {"ci"}, authmin.HeaderScopes: {"infer admin"}}, Caller{"ci", nil, none}},
		"the gateway with models":              {with("tiny,team-*"), Caller{"ci", nil, tiny}},
		"the gateway with every model":         {with("*"), Caller{"ci", nil, nil}},
		"the gateway with two lines of models": {with("*", "tiny"), Caller{"ci", nil, none}},
		"the gateway with malformed models":    {with("tiny, big"), Caller{"ci", nil, none}},
		"the gateway with an empty list":       {with(""), Caller{"ci", nil, none}},
		"an own token and forged models":       {http.Header{"Authorization": {own}, authmin.HeaderModels: {"tiny"}}, Caller{authmin.NameDefault, authmin.AllScopes(), nil}},
		"the gateway with an alias":            {http.Header{"Authorization": {gateway}, "X_Auth_Identity": {"ops"}, "X_Auth_Scopes": {"admin"}}, Caller{}},
		"a caller's own token":                 {http.Header{"Authorization": {own}}, Caller{authmin.NameDefault, authmin.AllScopes(), nil}},
		"an own token and a forged identity":   {http.Header{"Authorization": {own}, authmin.HeaderIdentity: {"ops"}, authmin.HeaderScopes: {"nodes"}}, Caller{authmin.NameDefault, authmin.AllScopes(), nil}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, secretOf("api"), secretOf("gateway"))
			if resp, body := b.do(t, "GET", "/v2/tasks", c.header); resp.StatusCode != 200 || b.last == nil {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			if diff := cmp.Diff(c.want, b.last.Caller, sameModels); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, name := range []string{"Authorization", authmin.HeaderIdentity, authmin.HeaderScopes, authmin.HeaderModels} {
				if b.last.Header[name] != nil {
					t.Errorf("the service sees %s", name)
				}
			}
		})
	}
	t.Run("no credential, with a forged identity", func(t *testing.T) {
		b := newBackend(t, secretOf("api"), secretOf("gateway"))
		h := http.Header{authmin.HeaderIdentity: {"ops"}, authmin.HeaderScopes: {"admin"}}
		if resp, _ := b.do(t, "GET", "/v2/tasks", h); resp.StatusCode != 401 {
			t.Errorf("got %d", resp.StatusCode)
		}
		if resp, _ := b.do(t, "GET", "/health", h); resp.StatusCode != 200 || b.last.Caller.Name != "" || b.last.Header[authmin.HeaderIdentity] != nil {
			t.Errorf("on /health: %d as %v", resp.StatusCode, b.last)
		}
	})
}

func TestBackendCorrelationID(t *testing.T) {
	b := newBackend(t, secretOf("api"), authmin.Secret{})
	for _, authorization := range []string{bearerOf("api"), bearerOf("x")} {
		resp, body := b.do(t, "GET", "/v2/tasks", http.Header{"Authorization": {authorization}, authmin.HeaderCorrelationID: {"abc-1"}})
		if resp.Header.Get(authmin.HeaderCorrelationID) != "abc-1" || b.last != nil && b.last.ID != "abc-1" || b.last == nil && !strings.Contains(body, `"correlation_id":"abc-1"`) {
			t.Errorf("got %v %s", resp.Header, body)
		}
		resp, _ = b.do(t, "GET", "/v2/tasks", http.Header{"Authorization": {authorization}, authmin.HeaderCorrelationID: {"a_b"}})
		if id := resp.Header.Get(authmin.HeaderCorrelationID); id == "a_b" || authmin.EnsureCorrelationID(http.Header{authmin.HeaderCorrelationID: {id}}) != id {
			t.Errorf("a bad id gives %q", id)
		}
	}
}

// SDKs show the id under names of their own.
func TestBackendCorrelationIDForSDKs(t *testing.T) {
	b := newBackend(t, secretOf("api"), authmin.Secret{})
	for target, want := range map[string]string{"/v1/messages": "mine-1", "/v1/models": "mine-1", "/v1/chat/completions": ""} {
		for _, credential := range []string{bearerOf("api"), bearerOf("x")} {
			answer, _ := b.do(t, "GET", target, http.Header{"Authorization": {credential}, "X-Correlation-Id": {"mine-1"}, "Anthropic-Version": {"2023-06-01"}})
			if got := answer.Header.Get("Request-Id"); got != want || answer.Header.Get("X-Request-Id") != "mine-1" {
				t.Errorf("%s: got Request-Id %q and X-Request-Id %q, want %q and mine-1", target, got, answer.Header.Get("X-Request-Id"), want)
			}
		}
	}
}

func TestNewBackendRefuses(t *testing.T) {
	a, b := secretOf("a"), secretOf("b")
	cases := map[string]struct {
		listen    string
		api, gate authmin.Secret
		want      string // a part of the message; "" for none
	}{
		"both on the network":         {"0.0.0.0:80", a, b, ""},
		"one on the network":          {":80", a, authmin.Secret{}, ""},
		"the other on the network":    {":80", authmin.Secret{}, b, ""},
		"none on loopback":            {"127.0.0.1:80", authmin.Secret{}, authmin.Secret{}, ""},
		"none on a Unix socket":       {"unix//run/x.sock", authmin.Secret{}, authmin.Secret{}, ""},
		"none on the network":         {"0.0.0.0:80", authmin.Secret{}, authmin.Secret{}, "NON_LOOPBACK_WITHOUT_TOKEN"},
		"none on every address":       {":80", authmin.Secret{}, authmin.Secret{}, "NON_LOOPBACK_WITHOUT_TOKEN"},
		"none on an unknown kind":     {"fd/3", authmin.Secret{}, authmin.Secret{}, "NON_LOOPBACK_WITHOUT_TOKEN"},
		"none on nothing":             {"", authmin.Secret{}, authmin.Secret{}, "NON_LOOPBACK_WITHOUT_TOKEN"},
		"empty ones on the network":   {":80", authmin.NewSecret(""), authmin.NewSecret(""), "NON_LOOPBACK_WITHOUT_TOKEN"},
		"equal ones":                  {"127.0.0.1:80", a, authmin.NewSecret(tokenOf("a")), "must differ"},
		"a weak one":                  {"127.0.0.1:80", authmin.NewSecret("short"), authmin.Secret{}, "unusable token"},
		"a weak one of the gateway's": {"127.0.0.1:80", a, authmin.NewSecret("short"), "unusable token"},
		"a placeholder":               {"127.0.0.1:80", authmin.NewSecret("${LLORCH_API_TOKEN_0123456789abcdef}"), authmin.Secret{}, "placeholder"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			guard, err := NewAuthenticator(AuthOptions{Service: "test", Listen: c.listen, Token: c.api, UpstreamToken: c.gate})
			if (err == nil) != (c.want == "") || (guard == nil) != (err != nil) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(c.want, "NON_") != errors.Is(err, authmin.ErrNonLoopbackWithoutToken) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if leaks(err.Error(), tokenOf("a")) || strings.Contains(err.Error(), "short,") {
				t.Errorf("the error holds a token: %v", err)
			}
		})
	}
}

func TestBackendWithoutTokensRefusesEveryRequest(t *testing.T) {
	b := newBackend(t, authmin.Secret{}, authmin.Secret{})
	for _, authorization := range []string{"", "Bearer ", "Bearer =", bearerOf("x")} {
		if resp, _ := b.do(t, "GET", "/v2/tasks", http.Header{"Authorization": {authorization}}); resp.StatusCode != 401 || b.last != nil {
			t.Errorf("%q: got %d", authorization, resp.StatusCode)
		}
	}
}
