package caddymodule

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// ruling is a decision with what limits add to it.
type ruling struct {
	authmin.Decision
	retry time.Duration // for Retry-After
	end   func()        // gives back a place among the requests in progress
}

// ServeHTTP decides a request, and either answers it or hands it on.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	start := time.Now()
	target, sameBytes := clientTarget(r)
	id := g.correlationID(r.Header)
	w.Header()[authmin.HeaderCorrelationID] = []string{id}

	d := ruling{Decision: g.decide(r, target, sameBytes, start)}
	if guardedBefore(r) {
		d.Decision = nestedDecision
	}
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		d.Decision = earlyDecision
	}
	ring := g.app.store.keyring()
	if d.Allow && (ring.Holds(target, start) || ring.Holds(r.Host, start)) {
		d.Decision = misplacedDecision
	}
	g.limit(r, &d, start)
	if d.end != nil {
		defer d.end()
	}
	g.strip(r, &d.Decision)
	r.Header[authmin.HeaderCorrelationID] = []string{id}
	g.metrics.count(&d.Decision, g.Shadow, time.Since(start))
	if !g.app.audit.decision(r, g, &d.Decision, target, id) {
		d.Allow, d.Problem, d.retry = false, &problemNoAudit, sinkTimeout
	}
	if !d.Allow && !g.Shadow {
		g.refuse(w, r, &d, id)
		return nil
	}
	g.introduce(r, &d.Decision)
	return g.forward(&answer{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, id: id}, r, next, &d.Decision, start)
}

// correlationID is the client's, unless that is a token of ours in the wrong
// place: the id stands in every log.
func (g *Guard) correlationID(h http.Header) string {
	id := authmin.EnsureCorrelationID(h)
	if len(id) < authmin.MinTokenLength {
		return id
	}
	secret := authmin.NewSecret(id)
	if _, verdict := g.app.store.keyring().Lookup(secret.Digest(), time.Now()); verdict != authmin.VerdictUnknown || secret.Equal(g.upstream) {
		return authmin.EnsureCorrelationID(nil)
	}
	return id
}

// varGuard marks a request that a guard has seen.
const varGuard = "authmin.guard"

// nestedDecision refuses what reaches a second guard. Most such arrangements are
// refused at the start; of what is left, as two route blocks that fall through,
// the second guard would judge a request that the first has taken the credential
// off.
var nestedDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusInternalServerError, Code: "NESTED_GUARD", CodeNumber: 50001,
		Title: "Two guards stand in the way of this request",
		Hint:  "The operator has to put each authmin into a handle block of its own.",
	},
}

// earlyDecision refuses what came before the end of the handshake, on HTTP/3:
// whoever recorded the packets could send them again, token and all, and from an
// address that nobody has checked (RFC 8470 §5.2). Clients try again by themselves.
var earlyDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusTooEarly, Code: "TOO_EARLY", CodeNumber: 42501,
		Title: "The request came before the end of the TLS handshake",
		Hint:  "Send it again on the same connection, not as early data.",
	},
}

// guardedBefore marks a request, and reports whether it was marked. Error routes
// run after the others, so a guard there is not inside another.
func guardedBefore(r *http.Request) bool {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return false
	}
	before := caddyhttp.GetVar(r.Context(), varGuard) != nil
	caddyhttp.SetVar(r.Context(), varGuard, true)
	return before
}

// forward hands a request on. One that a token was let in with is tracked, so
// that it ends when the token does.
func (g *Guard) forward(w *answer, r *http.Request, next caddyhttp.Handler, d *authmin.Decision, start time.Time) error {
	if !d.Allow || d.Token == nil {
		return next.ServeHTTP(w, r)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	w.live = &liveRequest{
		digest: d.Token.Digest(), needs: g.policy.Rule(d.Rule).Scopes, cancel: cancel, writer: w.ResponseWriter,
	}
	live := g.app.state.live
	live.add(w.live)
	defer func() { // also when the proxy aborts the response by a panic
		if why := live.remove(w.live); why != authmin.ReasonNone {
			g.app.metrics.terminated.WithLabelValues(string(why)).Inc()
			g.app.audit.streamTerminated(g.Name, d, why, w.id, w.sent.Load(), time.Since(start))
		}
	}()
	return next.ServeHTTP(w, r.WithContext(ctx))
}

// limit applies the lockout to bad tokens, and the guard's limits to those who
// are let in.
func (g *Guard) limit(r *http.Request, d *ruling, now time.Time) {
	switch {
	case d.BadToken() && g.app.lockout.failures > 0:
		client := clientAddr(r)
		result := g.app.state.lockouts.fail(client, g.app.lockout, now)
		if result.started {
			g.app.audit.lockoutStart(clientText(clientKey(client)), g.app.lockout)
		}
		if result.locked {
			d.Locked()
			d.retry = result.retry
		}
	case d.Allow && !d.Public && g.limits != limitRule{}:
		var reached string
		d.end, reached, d.retry = g.app.state.limits.begin(limitKey{g.Name, d.Name}, g.limits, now)
		if reached != "" {
			g.metrics.limited[reached].Inc()
			d.Limited()
		}
	}
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
	g.dropTokens(r.Header)
	restrainTrailers(r, g.policy.AllowsTrailers(d.Path))
}

// dropTokens takes off the fields that hold a token of ours in the wrong place:
// SDKs send theirs as X-Api-Key too.
func (g *Guard) dropTokens(h http.Header) {
	ring, now := g.app.store.keyring(), time.Now()
	for name, values := range h {
		if slices.ContainsFunc(values, func(v string) bool { return ring.Holds(v, now) }) || ring.Holds(name, now) {
			delete(h, name)
		}
	}
}

// misplacedDecision refuses a request whose target or Host holds a token of ours:
// it cannot be taken out of there, and would stand in the upstream's logs.
var misplacedDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusBadRequest, Code: "MISPLACED_TOKEN", CodeNumber: 40002,
		Title: "A token stands where none belongs",
		Hint:  "Send it in one header Authorization: Bearer TOKEN and nowhere else, and replace it: it may stand in somebody's log.",
	},
}

// introduce tells the upstream, the templates and the access log who asks. On a
// public route nobody does, and the upstream gets no credential either.
func (g *Guard) introduce(r *http.Request, d *authmin.Decision) {
	if d.Public || !d.Allow { // not allowed: a shadow guard lets it through all the same
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
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, d *ruling, id string) {
	if d.Fingerprint != "" {
		replacer(r).Set("http.auth.candidate.id", d.Fingerprint)
	}
	h := w.Header()
	if challenge := authmin.Challenge(*d.Problem, g.policy.Rule(d.Rule).Scopes); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if d.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((d.retry+time.Second-1)/time.Second), 10))
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

// clientAddr is whom a failure counts for: the socket's peer, or the address
// that Caddy has from a proxy that its trusted_proxies name.
func clientAddr(r *http.Request) netip.Addr {
	if addr, err := netip.ParseAddr(clientIP(r.Context())); err == nil {
		return addr
	}
	return authmin.PeerAddr(r.RemoteAddr)
}
