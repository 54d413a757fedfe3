package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// correlationID returns the client's correlation id. If that contains a known token, it
// returns a new one, since the id is in every log.
func (g *Guard) correlationID(h http.Header) string {
	id := authmin.EnsureCorrelationID(h)
	if g.app.store.leaks.ContainsTokenFolded(id) {
		return authmin.EnsureCorrelationID(nil)
	}
	return id
}

// clientTarget returns the request target as the client sent it, before any rewrite, and
// whether the path reaches an upstream in the same bytes.
func clientTarget(r *http.Request) (target string, sameBytes bool) {
	target = r.RequestURI
	u := r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		target, u = original.RequestURI, original.URL
	}
	path, _, _ := strings.Cut(target, "?")
	return target, u != nil && u.Host == "" && u.EscapedPath() == path
}

// sanitize removes the headers that a client may not send to an upstream, first of all
// its credential, on public routes too. The path determines which trailers stay.
func (g *Guard) sanitize(r *http.Request, s *requestState, path string) {
	g.dropCredentials(r.Header)
	s.sanitizeCORS(r.Header)
	g.exceptions.Sanitize(r.Header)
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
		g.exceptions.SanitizeForwarded(r.Header)
	}
	g.dropTokens(r.Header)
	g.sanitizeTrailers(r, s, g.policy.AllowsTrailers(path))
	r.Header[authmin.HeaderCorrelationID] = s.field(s.id)
}

// dropTokens removes the fields that contain a known token, valid or not. Some SDKs also
// send the token as X-Api-Key, which not every guard reads.
func (g *Guard) dropTokens(h http.Header) {
	leaks := g.app.store.leaks
	for name, values := range h {
		if leaks.ContainsTokenFolded(name) || slices.ContainsFunc(values, leaks.ContainsToken) {
			delete(h, name)
		}
	}
}

// setUpstreamHeaders sets the identity for the upstream, for templates and for the access
// log, and the upstream credential. A request on a public route gets neither.
func (g *Guard) setUpstreamHeaders(r *http.Request, s *requestState, d *authmin.Decision) {
	if d.Public || !d.Allow { // a shadow guard forwards a request that is not allowed
		return
	}
	r.Header[authmin.HeaderIdentity] = s.field(d.Name)
	r.Header[authmin.HeaderScopes] = s.field(authmin.JoinScopes(d.Scopes, ","))
	if models := d.Models.String(); models != "" { // without it the upstream lets it use none
		r.Header[authmin.HeaderModels] = s.field(models)
	}
	if credential := g.upstream.value(); !credential.IsZero() {
		r.Header["Authorization"] = s.field(credential.Reveal())
	}
	replacer(r).Set("http.auth.user.id", d.Name)
}
