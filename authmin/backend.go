package authmin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// ErrNonLoopbackWithoutToken is a refused start: the service could be reached
// from other machines and would have nothing to check.
var ErrNonLoopbackWithoutToken = errors.New("NON_LOOPBACK_WITHOUT_TOKEN (40301)")

// nameGateway names the gateway's credential in the backend's own keyring.
const nameGateway = "gateway"

// BackendOptions says what a service behind the gateway accepts.
type BackendOptions struct {
	Service       string   // for the log
	Listen        string   // host:port, or unix//path
	Token         Secret   // a caller's own credential: identity default, every scope
	UpstreamToken Secret   // the gateway's: with it, its identity headers are believed
	Others        []Secret // that the service sends to others, for its logs to leave out
	Log           *slog.Logger
}

// Backend checks the credentials of requests to a service behind the gateway:
// on every route but exact GET and HEAD /health. It never looks at where a request comes
// from: behind a local proxy everybody comes from 127.0.0.1.
type Backend struct {
	service string
	ring    *Keyring
	leaks   *Redactor
	log     *slog.Logger
}

// NewBackend checks the options. Two equal tokens, a weak one, and an address
// that other machines can reach without any token are refused. Without a token
// on loopback it starts, and answers 401 to everything but these.
func NewBackend(o BackendOptions) (*Backend, error) {
	var tokens []Token
	for _, t := range []struct {
		name   string
		secret Secret
	}{{NameDefault, o.Token}, {nameGateway, o.UpstreamToken}} {
		if t.secret.IsZero() {
			continue
		}
		if err := CheckStrength(t.secret); err != nil {
			return nil, fmt.Errorf("guarding %s: %s token: %w", o.Service, t.name, err)
		}
		tokens = append(tokens, NewToken(t.name, t.secret, allScopes...))
	}
	if len(tokens) == 0 && !IsLoopbackListen(o.Listen) {
		return nil, fmt.Errorf("guarding %s: %w: it would listen on %s; set LLORCH_API_TOKEN or LLORCH_UPSTREAM_TOKEN, or listen on 127.0.0.1",
			o.Service, ErrNonLoopbackWithoutToken, o.Listen)
	}
	ring, err := NewKeyring(tokens)
	if err != nil {
		return nil, fmt.Errorf("guarding %s: LLORCH_API_TOKEN and LLORCH_UPSTREAM_TOKEN must differ: %w", o.Service, err)
	}
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	others := SecretRing(o.Others...)
	leaks := NewRedactor(func() *Keyring { return ring }, func() *Keyring { return others })
	return &Backend{service: o.Service, ring: ring, leaks: leaks, log: slog.New(leaks.Handler(log.Handler()))}, nil
}

// Log is the service's log, without the tokens that it knows.
func (b *Backend) Log() *slog.Logger { return b.log }

// Wrap guards a handler. It puts the [Caller] and the correlation id into the
// request's context and the id on every answer, and takes the credential and
// the identity headers off the request.
func (b *Backend) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := EnsureCorrelationID(r.Header)
		if b.leaks.HoldsFolded(id) { // it would stand in every log, and on disk
			id = newCorrelationID()
		}
		w.Header().Set(HeaderCorrelationID, id)
		r = r.WithContext(WithCorrelationID(r.Context(), id))
		caller, fingerprint, reason := b.identify(r)
		for _, name := range []string{"Authorization", HeaderIdentity, HeaderScopes} {
			r.Header.Del(name)
		}
		// HEAD is GET without the body, and the policy has both public: the gateway
		// sends no credential with either.
		open := (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.Path == "/health" && r.URL.RawPath == ""
		if reason != ReasonNone && !open {
			b.refuse(w, r, fingerprint, reason)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), caller)))
	})
}

// identify returns who calls, or why that is unknown, and the fp6 of the token that
// was sent, "" without one.
func (b *Backend) identify(r *http.Request) (caller Caller, fingerprint string, reason Reason) {
	digest, presented := ParseBearer(r.Header["Authorization"])
	switch presented {
	case PresentedNothing:
		return Caller{}, "", ReasonMissing
	case PresentedMalformed:
		return Caller{}, "", ReasonMalformed
	}
	fingerprint = digest.Fingerprint()
	token, verdict := b.ring.Lookup(digest, time.Now())
	switch {
	case verdict != VerdictValid:
		return Caller{}, fingerprint, verdict.Reason()
	case token.Name != nameGateway:
		return Caller{Name: token.Name, Scopes: token.Scopes}, fingerprint, ReasonNone
	}
	return gatewayCaller(r.Header), fingerprint, ReasonNone
}

// gatewayCaller is whom the gateway speaks for. Headers that it would not write
// make nobody, who has no scope.
func gatewayCaller(h http.Header) Caller {
	names, lists := h[HeaderIdentity], h[HeaderScopes]
	if len(names) != 1 || !isName(strings.TrimPrefix(names[0], "proxy:")) {
		return Caller{}
	}
	caller := Caller{Name: names[0]}
	if len(lists) == 1 {
		if scopes, err := ParseScopes(lists[0]); err == nil {
			caller.Scopes = scopes
		}
	}
	return caller
}

// refuse answers a call without a valid credential. The record has the fields of the
// gateway's trail.
func (b *Backend) refuse(w http.ResponseWriter, r *http.Request, fingerprint string, reason Reason) {
	p, identity := *problemFor(reason), NameAnonymous
	if fingerprint != "" {
		identity = tokenIdentity + fingerprint
	}
	b.log.WarnContext(r.Context(), "auth_failed", "service", b.service, "reason", reason,
		"identity", identity, "fp6", fingerprint,
		"method", CleanField(r.Method, MaxLoggedMethod), "path", b.leaks.Path(r.URL.Path, MaxLoggedPath),
		"remote_ip", PeerAddr(r.RemoteAddr), "correlation_id", CorrelationID(r.Context()))
	w.Header().Set("WWW-Authenticate", Challenge(p, nil))
	WriteProblem(w, r, p)
}
