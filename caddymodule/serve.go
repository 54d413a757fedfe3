package caddymodule

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

// outcome is the decision on one request, with what the edge adds to it.
type outcome struct {
	authmin.Decision
	retryAfter time.Duration // for Retry-After, when refused
	took       time.Duration // to decide, without waiting for a public slot or a body
}

// refusal is why a check ends a request. The zero value lets it pass.
type refusal struct {
	reason     authmin.Reason
	problem    *authmin.Problem
	retryAfter time.Duration
}

// apply makes the outcome that of a check.
func (o *outcome) apply(r refusal) {
	if r.problem != nil {
		o.Allow, o.Public = false, false
		o.Reason, o.Problem, o.retryAfter = r.reason, r.problem, r.retryAfter
	}
}

// ServeHTTP decides a request, and either answers it or forwards it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	s := g.newRequestState(w, r)
	defer s.release()
	s.setIDs(w.Header())
	s.keepCORS()
	o := g.decide(r, s)
	return g.answer(r, next, s, &o)
}

// decide runs the checks in order: the policy, the limits, and then the slots of public
// routes, or the models of the identity. It removes what no upstream may see from the request before the first byte of
// a body is read.
func (g *Guard) decide(r *http.Request, s *requestState) outcome {
	o := outcome{Decision: g.authorize(r, s)}
	o.apply(g.limit(s, &o.Decision))
	g.sanitize(r, s, o.Path)
	o.took = time.Since(s.start)
	switch {
	case o.Allow && o.Public:
		o.apply(g.admit(r, s))
	case o.Allow && !s.me:
		o.apply(g.checkBody(r, s, &o.Decision))
	}
	return o
}

// answer records the outcome, and refuses or forwards the request. A request that could
// not be recorded is refused.
func (g *Guard) answer(r *http.Request, next caddyhttp.Handler, s *requestState, o *outcome) error {
	if !g.app.audit.decision(r, g, &o.Decision, s) {
		o.apply(refusal{reasonAudit, &problemNoAudit, trail.Timeout})
	}
	label := labelOf(&o.Decision, g.Shadow, s.would)
	g.metrics.count(&o.Decision, label, o.took)
	g.app.watched.decided(&o.Decision, label, cmp.Or(o.Reason, s.would), s.start)
	if !o.Allow && !g.Shadow {
		s.cancelBudgets()
		g.refuse(r, s, o)
		return nil
	}
	if s.me {
		return g.answerMe(r, s, &o.Decision)
	}
	if s.preflight {
		g.answerPreflight(r, s)
		return nil
	}
	if g.Shadow {
		g.redactTarget(r, s)
	}
	g.setUpstreamHeaders(r, s, &o.Decision)
	defer deleteUpstreamHeaders(r)
	defer s.dropTrailers()
	if g.usage != nil && g.isCall(r, s, &o.Decision) {
		c := g.startCall(r, s, &o.Decision)
		s.watchBody(r, g.Shadow)
		return g.answerError(r, s, g.forwardCall(r, next, s, &o.Decision, c))
	}
	s.watchBody(r, g.Shadow)
	return g.answerError(r, s, g.forward(r, next, s, &o.Decision))
}

// authorize returns authmin's decision on a request, unless the edge refuses it for a
// reason that authmin cannot see: early data, a second guard, a token outside its header.
func (g *Guard) authorize(r *http.Request, s *requestState) authmin.Decision {
	sent, nested := g.sentHeader(r)
	switch {
	case r.TLS != nil && !r.TLS.HandshakeComplete:
		return earlyDecision
	case nested:
		return nestedDecision
	}
	facts := authmin.Request{Method: r.Method, Target: s.target, Host: r.Host, Header: sent, Peer: s.peer}
	if !s.sameBytes {
		facts.Target = "" // no origin form: refused as ambiguous
	}
	if g.decider.Optional {
		facts.Listener = g.listeners.of(r)
	}
	d := g.judge(&facts, s)
	if d.Allow && g.leaked(r, s) {
		return leakedDecision
	}
	return d
}

// judge asks the policy, which does not decide preflights.
func (g *Guard) judge(facts *authmin.Request, s *requestState) authmin.Decision {
	if g.IsMe(facts.Method, facts.Target) {
		s.me = true
		return g.decider.Identify(facts, s.start)
	}
	if g.cors == nil || !authmin.IsPreflight(facts.Method, facts.Header) {
		return g.decider.Decide(facts, s.start)
	}
	s.preflight, s.headers = !g.Shadow, authmin.PreflightHeaders(facts.Header) // a shadow's upstream answers
	return g.decider.DecidePreflight(facts)
}

// limit applies the lockout to clients that send invalid tokens, and the guard's limits
// to the identities of allowed requests.
func (g *Guard) limit(s *requestState, d *authmin.Decision) refusal {
	switch {
	case d.BadToken() && g.app.lockout.failures > 0:
		client := s.clientAddr()
		result := g.app.state.lockouts.fail(client, g.app.lockout, s.start)
		if result.started {
			g.app.audit.lockoutStart(clientText(clientKey(client)), g.app.lockout)
		}
		if result.locked {
			return refusal{authmin.ReasonLocked, &authmin.ProblemLockedOut, result.retry}
		}
	case d.Allow && !d.Public && g.limits != limitRule{}:
		end, reached, retry := g.app.state.limits.begin(limitKey{g.limitName, d.Name}, g.limits, s.start)
		s.showLimit(g, d)
		if reached != "" {
			g.metrics.limited[reached].Inc()
			return refusal{authmin.ReasonLimited, &authmin.ProblemLimited, retry}
		}
		s.endLimit = end
	}
	return refusal{}
}

// refuse answers with the problem of the outcome. On HTTP/1.x it closes the connection:
// Caddy would otherwise delay the answer while the client still sends its body. On HTTP/2
// and 3 that header would end other requests, or be an error.
func (g *Guard) refuse(r *http.Request, s *requestState, o *outcome) {
	w := &s.response
	if o.Fingerprint != "" {
		replacer(r).Set("http.auth.candidate.id", o.Fingerprint)
	}
	h := w.Header()
	if challenge := authmin.Challenge(*o.Problem, g.policy.Rule(o.Rule).Scopes); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if o.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((o.retryAfter+time.Second-1)/time.Second), 10))
	}
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	g.showLeft(s, &o.Decision)
	authmin.WriteProblemAs(w, r.WithContext(authmin.WithCorrelationID(r.Context(), s.id)), *o.Problem, s.dialect)
}

// forward passes a request to the next handler. A request that was allowed by a token is
// tracked, so that it is terminated when the token becomes invalid.
func (g *Guard) forward(r *http.Request, next caddyhttp.Handler, s *requestState, d *authmin.Decision) error {
	if !d.Allow || d.Token == nil {
		return s.next(next, r)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	if g.TokenOnly {
		ctx = context.WithValue(ctx, callerKey{}, Caller{d.Name, d.Scopes, d.Fingerprint, d.Token.Digest()})
	}
	q := g.liveRequest(s, d)
	q.cancel, q.writer = cancel, s.ResponseWriter
	s.response.tracked = q
	live := g.app.state.live
	live.add(q)
	defer func() { // also when the proxy aborts the response by a panic
		if why := live.remove(q); why != authmin.ReasonNone {
			g.app.metrics.terminated.WithLabelValues(string(why)).Inc()
			g.app.audit.streamTerminated(g.Name, d, why, s.id, s.sent.Load(), time.Since(s.start))
		}
	}()
	s.request = r.WithContext(ctx)
	return next.ServeHTTP(&s.response, s.request)
}

// deleteUpstreamHeaders removes what the guard added for the upstream, when the handlers
// behind the guard have returned: error routes and `intercept` run afterwards, with the
// same header and possibly without a guard.
func deleteUpstreamHeaders(r *http.Request) {
	for _, name := range []string{"Authorization", authmin.HeaderIdentity, authmin.HeaderScopes, authmin.HeaderModels} {
		delete(r.Header, name)
	}
}

func replacer(r *http.Request) *caddy.Replacer {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return caddy.NewReplacer()
	}
	return repl
}
