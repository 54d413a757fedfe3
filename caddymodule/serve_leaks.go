package caddymodule

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// leakFinder finds the tokens of clients and the gateway's own credentials in any text.
// Everything in this module that searches for a token uses it.
type leakFinder struct {
	*authmin.Redactor
	own atomic.Pointer[authmin.Keyring]
}

func newLeakFinder(clients func() *authmin.Keyring) *leakFinder {
	f := new(leakFinder)
	f.Redactor = authmin.NewRedactor(clients, f.own.Load)
	return f
}

// setOwn sets the gateway's own credentials, with the secrets that next returns.
func (f *leakFinder) setOwn(upstreams []*upstreamCredential, next func(*authmin.SecretSource) authmin.Secret) {
	secrets := make([]authmin.Secret, 0, len(upstreams))
	for _, u := range upstreams {
		secrets = append(secrets, next(u.source))
	}
	f.own.Store(authmin.SecretRing(secrets...))
}

// leaked reports whether a request contains a valid token in a place where it cannot be
// removed and would appear in the upstream's logs.
func (g *Guard) leaked(r *http.Request, s *requestState) bool {
	leaks, now := g.app.store.leaks, s.start
	return s.leaks && leaks.ContainsValidToken(s.target, now) || leaks.ContainsValidTokenFolded(r.Host, now) || leaks.ContainsValidToken(r.Method, now)
}

// redactTarget replaces the tokens in the target and Host of a request that a shadow guard
// forwards although it would refuse it. No upstream and no log needs them.
func (g *Guard) redactTarget(r *http.Request, s *requestState) {
	clean := func(text string) string {
		return strings.ReplaceAll(g.app.store.leaks.Redact(text), "[redacted]", "redacted")
	}
	r.Host = clean(r.Host)
	if !s.leaks {
		return
	}
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		original.RequestURI, original.URL = clean(original.RequestURI), cleanURL(original.URL, clean)
		// In place: Caddy's placeholders hold this request.
		*r = *r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
	}
	r.RequestURI, r.URL = clean(r.RequestURI), cleanURL(r.URL, clean)
}

func cleanURL(u *url.URL, clean func(string) string) *url.URL {
	if u == nil {
		return nil
	}
	shown := *u
	shown.Path, shown.RawPath = clean(u.Path), clean(u.RawPath)
	shown.RawQuery, shown.Fragment = clean(u.RawQuery), clean(u.Fragment)
	return &shown
}
