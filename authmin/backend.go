package authmin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
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
	ring    atomic.Pointer[Keyring] // replaced by SetTokens
	others  atomic.Pointer[Keyring] // secrets that are only looked for; replaced by SetTokens
	callers callerSet
	leaks   *Redactor
	log     *slog.Logger
}

// NewBackend checks the options. Two equal tokens, a weak one, and an address
// that other machines can reach without any token are refused. Without a token
// on loopback it starts, and answers 401 to everything but these.
func NewBackend(o BackendOptions) (*Backend, error) {
	ring, err := backendRing(o.Service, o.Token, o.UpstreamToken)
	if err != nil {
		return nil, err
	}
	if ring.Len() == 0 && !IsLoopbackListen(o.Listen) {
		return nil, fmt.Errorf("guarding %s: %w: it would listen on %s; set LLORCH_API_TOKEN or LLORCH_UPSTREAM_TOKEN, or listen on 127.0.0.1",
			o.Service, ErrNonLoopbackWithoutToken, o.Listen)
	}
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	b := &Backend{service: o.Service}
	b.ring.Store(ring)
	b.others.Store(SecretRing(o.Others...))
	b.leaks = NewRedactor(b.ring.Load, b.others.Load)
	b.log = slog.New(b.leaks.Handler(log.Handler()))
	return b, nil
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
		who, reason := b.identify(r)
		for _, name := range []string{"Authorization", HeaderIdentity, HeaderScopes} {
			r.Header.Del(name)
		}
		// HEAD is GET without the body, and the policy has both public: the gateway
		// sends no credential with either.
		open := (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.Path == "/health" && r.URL.RawPath == ""
		if reason != ReasonNone && !open {
			b.refuse(w, r, who.fingerprint, reason)
			return
		}
		r = r.WithContext(WithCaller(r.Context(), who.caller))
		if who.own == nil {
			next.ServeHTTP(w, r)
			return
		}
		r, release := b.callers.track(w, r, *who.own)
		defer release()
		// The token may have gone since it was judged: a sweep from now on finds
		// this request, an earlier one did not.
		if _, verdict := b.ring.Load().Lookup(*who.own, time.Now()); verdict != VerdictValid {
			b.refuse(w, r, who.fingerprint, verdict.Reason())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// presenter is who sent a request.
type presenter struct {
	caller      Caller
	fingerprint string  // of the token that was sent; "" without one
	own         *Digest // of a caller's own token, with whose end the request ends; else nil
}

// identify returns who calls, or why that is unknown.
func (b *Backend) identify(r *http.Request) (presenter, Reason) {
	digest, presented := ParseBearer(r.Header["Authorization"])
	switch presented {
	case PresentedNothing:
		return presenter{}, ReasonMissing
	case PresentedMalformed:
		return presenter{}, ReasonMalformed
	}
	who := presenter{fingerprint: digest.Fingerprint()}
	token, verdict := b.ring.Load().Lookup(digest, time.Now())
	switch {
	case verdict != VerdictValid:
		return who, verdict.Reason()
	case token.Name != nameGateway:
		who.caller, who.own = Caller{Name: token.Name, Scopes: token.Scopes}, &digest
	default:
		who.caller = gatewayCaller(r.Header)
	}
	return who, ReasonNone
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
