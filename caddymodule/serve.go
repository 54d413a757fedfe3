package caddymodule

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
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
	p := g.passage(w, r)
	w.Header()[authmin.HeaderCorrelationID] = p.field(p.id)

	sent, nested := g.sentHeader(r)
	d := ruling{Decision: g.decide(r, p, sent, start)}
	if nested {
		d.Decision = nestedDecision
	}
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		d.Decision = earlyDecision
	}
	if d.Allow && g.misplaced(r, p, start) {
		d.Decision = misplacedDecision
	}
	g.limit(p, &d, start)
	if d.end != nil {
		defer d.end()
	}
	g.strip(r, &d.Decision)
	r.Header[authmin.HeaderCorrelationID] = p.field(p.id)
	took := time.Since(start)
	place := g.admit(p, r, &d)
	defer place.leave()
	if !g.app.audit.decision(r, g, &d.Decision, p) {
		d.unrecorded()
	}
	g.metrics.count(&d.Decision, g.Shadow, took)
	if !d.Allow && !g.Shadow {
		g.refuse(w, r, &d, p.id)
		return nil
	}
	if g.Shadow {
		g.scrub(r, p)
	}
	g.introduce(r, &d.Decision, p)
	defer forget(r)
	return g.forward(p, r, next, &d.Decision, start)
}

// unrecorded refuses a request that could not be put on record.
func (d *ruling) unrecorded() {
	d.Allow, d.Reason, d.Problem, d.retry = false, reasonAudit, &problemNoAudit, trail.Timeout
}

// forget takes off a request, when the handlers behind the guard are done with it,
// what the guard told them: error routes and `intercept` run afterwards, with the same
// header and perhaps without a guard.
func forget(r *http.Request) {
	for _, name := range []string{"Authorization", authmin.HeaderIdentity, authmin.HeaderScopes, "X-Auth-Models"} {
		delete(r.Header, name)
	}
}

// forward hands a request on. One that a token was let in with is tracked, so
// that it ends when the token does.
func (g *Guard) forward(p *passage, r *http.Request, next caddyhttp.Handler, d *authmin.Decision, start time.Time) error {
	if !d.Allow || d.Token == nil {
		return p.next(next, r)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	q := &p.live
	q.digest, q.policy, q.rule, q.cancel, q.writer = d.Token.Digest(), g.policy, d.Rule, cancel, p.ResponseWriter
	p.answer.tracked = q
	live := g.app.state.live
	live.add(q)
	defer func() { // also when the proxy aborts the response by a panic
		if why := live.remove(q); why != authmin.ReasonNone {
			g.app.metrics.terminated.WithLabelValues(string(why)).Inc()
			g.app.audit.streamTerminated(g.Name, d, why, p.id, p.sent.Load(), time.Since(start))
		}
	}()
	return next.ServeHTTP(&p.answer, r.WithContext(ctx))
}

// limit applies the lockout to bad tokens, and the guard's limits to those who
// are let in.
func (g *Guard) limit(p *passage, d *ruling, now time.Time) {
	switch {
	case d.BadToken() && g.app.lockout.failures > 0:
		client := p.clientAddr()
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
		d.end, reached, d.retry = g.app.state.limits.begin(limitKey{g.limited, d.Name}, g.limits, now)
		if reached != "" {
			g.metrics.limited[reached].Inc()
			d.Limited()
		}
	}
}

// decide gathers the facts of a request for authmin. The header is as it was sent.
func (g *Guard) decide(r *http.Request, p *passage, sent http.Header, now time.Time) authmin.Decision {
	facts := authmin.Request{Method: r.Method, Target: p.target, Host: r.Host, Header: sent, Peer: p.peer}
	if !p.sameBytes {
		facts.Target = "" // no origin form: refused as ambiguous
	}
	if g.decider.Optional {
		facts.Listener = g.listeners.of(r)
	}
	return g.decider.Decide(&facts, now)
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
