package caddymodule

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// ServeHTTP decides a request, and either answers it or hands it on.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	start := time.Now()
	target, sameBytes := clientTarget(r)
	id := authmin.EnsureCorrelationID(r.Header)
	w.Header()[authmin.HeaderCorrelationID] = []string{id}

	decision := g.decide(r, target, sameBytes, start)
	g.strip(r, &decision)
	r.Header[authmin.HeaderCorrelationID] = []string{id}
	g.metrics.count(&decision, time.Since(start))
	g.app.audit.decision(r, g.Name, &decision, target, g.policy.RuleText(decision.Rule), id)
	if !decision.Allow {
		g.refuse(w, r, &decision, id)
		return nil
	}
	g.introduce(r, &decision)
	return next.ServeHTTP(&answer{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, id: id}, r)
}

// decide gathers the facts of a request for authmin.
func (g *Guard) decide(r *http.Request, target string, sameBytes bool, now time.Time) authmin.Decision {
	if !sameBytes {
		target = "" // no origin form: refused as ambiguous
	}
	facts := authmin.Request{
		Method: r.Method, Target: target, Host: r.Host, Header: r.Header,
		Peer: authmin.PeerAddr(r.RemoteAddr),
	}
	if g.decider.Optional {
		facts.Listener = g.listeners.of(r)
	}
	return g.decider.Decide(&facts, now)
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

// strip takes off the request what a client may not say to an upstream, its own
// credential first: on public routes too.
func (g *Guard) strip(r *http.Request, d *authmin.Decision) {
	delete(r.Header, "Authorization")
	authmin.SanitizeHeader(r.Header)
	if r.Trailer != nil && !g.policy.AllowsTrailers(d.Path) {
		r.Trailer = nil
		delete(r.Header, "Trailer")
	}
}

// introduce tells the upstream, the templates and the access log who asks. On a
// public route nobody does, and the upstream gets no credential either.
func (g *Guard) introduce(r *http.Request, d *authmin.Decision) {
	if d.Public {
		return
	}
	r.Header[authmin.HeaderIdentity] = []string{d.Name}
	r.Header[authmin.HeaderScopes] = []string{authmin.JoinScopes(d.Scopes, ",")}
	if !g.upstream.IsZero() {
		r.Header["Authorization"] = []string{"Bearer " + g.upstream.Reveal()}
	}
	replacer(r).Set("http.auth.user.id", d.Name)
}

// refuse answers. On HTTP/1.x it closes the connection: Caddy would otherwise
// hold the answer while the client still sends its body. On HTTP/2 and 3 that
// header would end other requests, or be an error.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, d *authmin.Decision, id string) {
	if d.Fingerprint != "" {
		replacer(r).Set("http.auth.candidate.id", d.Fingerprint)
	}
	h := w.Header()
	if challenge := authmin.Challenge(*d.Problem, g.policy.Rule(d.Rule).Scopes); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	authmin.WriteProblem(w, r.WithContext(authmin.WithCorrelationID(r.Context(), id)), *d.Problem)
}

func replacer(r *http.Request) *caddy.Replacer {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return caddy.NewReplacer()
	}
	return repl
}

// answer keeps one correlation id on an answer: an upstream of ours sends the
// same one again.
type answer struct {
	caddyhttp.ResponseWriterWrapper
	id string
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	a.Header()[authmin.HeaderCorrelationID] = []string{a.id}
	a.ResponseWriterWrapper.WriteHeader(status)
}
