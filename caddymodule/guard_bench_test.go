package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// BenchmarkGuard is what the guard adds to one request, the upstream left out:
// decision, audit record to a file, header sanitizing, tracking.
func BenchmarkGuard(b *testing.B) {
	g := benchGuard(b)
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	for name, token := range map[string]string{"known": tokenInfer, "unknown": "unknown-0123456789abcdefghijklmnopqrstu"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
			r.RemoteAddr = "10.1.2.3:45678"
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, &caddyhttp.Server{})
			r.Header.Set("User-Agent", "openai-go/1.12.0")
			b.ReportAllocs()
			for b.Loop() {
				r.Header["Authorization"] = []string{"Bearer " + token}
				caddyhttp.SetVar(r.Context(), varGuard, nil)
				if err := g.ServeHTTP(discard{http.Header{}}, r, next); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// discard is a response writer that discards the response.
type discard struct{ header http.Header }

func (n discard) Header() http.Header         { return n.header }
func (n discard) Write(p []byte) (int, error) { return len(p), nil }
func (n discard) WriteHeader(int)             {}

// benchGuard is a guard as Caddy would have provisioned it, with 10,000 tokens.
func benchGuard(b testing.TB) *Guard {
	b.Helper()
	tokens := []authmin.Token{authmin.NewToken("ci", authmin.NewSecret(tokenInfer), authmin.ScopeInfer)}
	for i := range 9_999 {
		tokens = append(tokens, authmin.NewToken(fmt.Sprintf("t%d", i), authmin.RandomSecret(), authmin.ScopeInfer))
	}
	audit, err := newAuditLog([]AuditSink{{Sink: sinkFile, Path: filepath.Join(b.TempDir(), "audit")}}, zap.NewNop(), shared)
	if err != nil {
		b.Fatal(err)
	}
	if err := audit.open(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(audit.close)
	store, err := newTokenStore(tokens, nil, zap.NewNop(), audit, shared)
	if err != nil {
		b.Fatal(err)
	}
	policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: []authmin.Rule{{
		Action: authmin.ActionRequire, Scopes: []authmin.Scope{authmin.ScopeInfer}, Paths: []string{"/v1/*"},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	state, err := acquireState(shared)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = releaseState() })
	upstream, err := store.addUpstream("edge", "{env.TEST_UPSTREAM}")
	if err != nil {
		b.Fatal(err)
	}
	app := &App{store: store, audit: audit, metrics: shared, state: state, log: zap.NewNop()}
	return &Guard{
		Name: "edge", app: app, policy: policy, metrics: shared.guard("edge"), upstream: upstream,
		decider: authmin.Decider{Policy: policy, Keyring: store.keyring}, listeners: listenerSet{all: []listener{{address: "127.0.0.1:0"}}},
	}
}
