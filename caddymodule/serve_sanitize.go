package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// correlationID is the client's, unless that contains a known token: the id is in
// every log.
func (g *Guard) correlationID(h http.Header) string {
	id := authmin.EnsureCorrelationID(h)
	if g.app.store.leaks.ContainsTokenFolded(id) {
		return authmin.EnsureCorrelationID(nil)
	}
	return id
}

// clientTarget is the request target as the client sent it, before any rewrite of
// the operator's, and whether the path goes to an upstream in the same bytes.
func clientTarget(r *http.Request) (target string, sameBytes bool) {
	target = r.RequestURI
	u := r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		target, u = original.RequestURI, original.URL
	}
	path, _, _ := strings.Cut(target, "?")
	return target, u != nil && u.Host == "" && u.EscapedPath() == path
}

// sanitize takes off the request what a client may not say to an upstream, its own
// credential first: on public routes too. The path decides which trailers stay.
func (g *Guard) sanitize(r *http.Request, s *requestState, path string) {
	g.dropCredentials(r.Header)
	g.passing.Sanitize(r.Header)
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
		g.passing.SanitizeForwarded(r.Header)
	}
	g.dropTokens(r.Header)
	g.sanitizeTrailers(r, g.policy.AllowsTrailers(path))
	r.Header[authmin.HeaderCorrelationID] = s.field(s.id)
}

// dropTokens removes the fields that contain a known token, valid or not: SDKs send
// theirs as X-Api-Key too, where the guard does not read it.
func (g *Guard) dropTokens(h http.Header) {
	leaks := g.app.store.leaks
	for name, values := range h {
		if leaks.ContainsTokenFolded(name) || slices.ContainsFunc(values, leaks.ContainsToken) {
			delete(h, name)
		}
	}
}

// introduce tells the upstream, the templates and the access log the identity. A
// request of a public route has none, and the upstream gets no credential for it.
func (g *Guard) introduce(r *http.Request, s *requestState, d *authmin.Decision) {
	if d.Public || !d.Allow { // not allowed: a shadow guard lets it through all the same
		return
	}
	r.Header[authmin.HeaderIdentity] = s.field(d.Name)
	r.Header[authmin.HeaderScopes] = s.field(authmin.JoinScopes(d.Scopes, ","))
	if credential := g.upstream.value(); !credential.IsZero() {
		r.Header["Authorization"] = s.field(credential.Reveal())
	}
	replacer(r).Set("http.auth.user.id", d.Name)
}
