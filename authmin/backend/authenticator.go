package backend

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
)

// nameGateway names the gateway's credential in the backend's own keyring.
const nameGateway = "gateway"

// AuthOptions says what a service behind the gateway accepts.
type AuthOptions struct {
	Service       string           // for the log
	Listen        string           // host:port, or unix//path
	Token         authmin.Secret   // a caller's own credential: identity default, every scope
	UpstreamToken authmin.Secret   // the gateway's: with it, its identity headers are believed
	Others        []authmin.Secret // that the service sends to others, for its logs to leave out
	Log           *slog.Logger
}

// Authenticator checks the credentials of requests to a service behind the gateway:
// on every route but exact GET and HEAD /health. It never looks at where a request comes
// from: behind a local proxy every request comes from 127.0.0.1.
type Authenticator struct {
	service string
	ring    atomic.Pointer[authmin.Keyring] // replaced by SetTokens
	others  atomic.Pointer[authmin.Keyring] // secrets that are only looked for; replaced by SetTokens
	callers callerSet
	leaks   *authmin.Redactor
	log     *slog.Logger
}

// NewAuthenticator checks the options. Two equal tokens, a weak one, and an address
// that other machines can reach without any token are refused. Without a token
// on loopback it starts, and answers 401 to everything but these.
func NewAuthenticator(o AuthOptions) (*Authenticator, error) {
	ring, err := backendRing(o.Service, o.Token, o.UpstreamToken)
	if err != nil {
		return nil, err
	}
	if ring.Len() == 0 && !authmin.IsLoopbackListen(o.Listen) {
		return nil, fmt.Errorf("guarding %s: %w: it would listen on %s; set LLORCH_API_TOKEN or LLORCH_UPSTREAM_TOKEN, or listen on 127.0.0.1",
			o.Service, authmin.ErrNonLoopbackWithoutToken, o.Listen)
	}
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	b := &Authenticator{service: o.Service}
	b.ring.Store(ring)
	b.others.Store(authmin.SecretRing(o.Others...))
	b.leaks = authmin.NewRedactor(b.ring.Load, b.others.Load)
	b.log = slog.New(b.leaks.Handler(log.Handler()))
	return b, nil
}

// Log is the service's log, without the tokens that it knows.
func (b *Authenticator) Log() *slog.Logger { return b.log }

// Wrap guards a handler. It puts the [Caller] and the correlation id into the
// request's context and the id on every answer, and takes the credential and
// the identity headers off the request.
func (b *Authenticator) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := authmin.EnsureCorrelationID(r.Header)
		if b.leaks.ContainsTokenFolded(id) { // it would stand in every log, and on disk
			id = authmin.NewCorrelationID()
		}
		for _, name := range authmin.DialectOf(r.URL.Path, r.Header).IDHeaders() {
			w.Header().Set(name, id)
		}
		r = r.WithContext(authmin.WithCorrelationID(r.Context(), id))
		who, reason := b.identify(r)
		for _, name := range []string{"Authorization", authmin.HeaderIdentity, authmin.HeaderScopes, authmin.HeaderModels} {
			r.Header.Del(name)
		}
		// HEAD is GET without the body, and the policy has both public: the gateway
		// sends no credential with either.
		open := (r.Method == http.MethodGet || r.Method == http.MethodHead) && isPublicPath(r.URL.Path) && r.URL.RawPath == ""
		if reason != authmin.ReasonNone && !open {
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
		if _, verdict := b.ring.Load().Lookup(*who.own, time.Now()); verdict != authmin.VerdictValid {
			b.refuse(w, r, who.fingerprint, verdict.Reason())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// presenter is the sender of a request.
type presenter struct {
	caller      Caller
	fingerprint string          // of the token that was sent; "" without one
	own         *authmin.Digest // of a caller's own token, with whose end the request ends; else nil
}

// identify returns the caller, or the reason why it is unknown.
func (b *Authenticator) identify(r *http.Request) (presenter, authmin.Reason) {
	digest, presented := authmin.ParseBearer(r.Header["Authorization"])
	switch presented {
	case authmin.PresentedNothing:
		return presenter{}, authmin.ReasonMissing
	case authmin.PresentedMalformed:
		return presenter{}, authmin.ReasonMalformed
	}
	who := presenter{fingerprint: digest.Fingerprint()}
	token, verdict := b.ring.Load().Lookup(digest, time.Now())
	switch {
	case verdict != authmin.VerdictValid:
		return who, verdict.Reason()
	case token.Name != nameGateway:
		who.caller, who.own = Caller{Name: token.Name, Scopes: token.Scopes}, &digest
	default:
		who.caller = gatewayCaller(r.Header)
	}
	return who, authmin.ReasonNone
}

// gatewayCaller is the caller in the identity headers of the gateway. Headers that the
// gateway would not write give a caller without a name and without a scope, which passes no
// route. One with a name and without X-Auth-Models, as from a gateway of an older version,
// may use no model.
func gatewayCaller(h http.Header) Caller {
	names, lists, models := h[authmin.HeaderIdentity], h[authmin.HeaderScopes], h[authmin.HeaderModels]
	if len(names) != 1 || !authmin.IsName(strings.TrimPrefix(names[0], "proxy:")) {
		return Caller{}
	}
	caller := Caller{Name: names[0], Models: new(authmin.Models)}
	if len(lists) == 1 {
		if scopes, err := authmin.ParseScopes(lists[0]); err == nil {
			caller.Scopes = scopes
		}
	}
	if len(models) == 1 {
		if list, err := authmin.ParseModels(models[0]); err == nil {
			caller.Models = list
		}
	}
	return caller
}

// refuse answers a call without a valid credential. The record has the fields of the
// gateway's trail.
func (b *Authenticator) refuse(w http.ResponseWriter, r *http.Request, fingerprint string, reason authmin.Reason) {
	p, identity := *authmin.ProblemFor(reason), authmin.NameAnonymous
	if fingerprint != "" {
		identity = authmin.TokenIdentity(fingerprint)
	}
	b.log.WarnContext(r.Context(), "auth_failed", "service", b.service, "reason", reason,
		"identity", identity, "fp6", fingerprint,
		"method", authmin.CleanField(r.Method, authmin.MaxLoggedMethod), "path", b.leaks.Path(r.URL.Path, authmin.MaxLoggedPath),
		"remote_ip", authmin.PeerAddr(r.RemoteAddr), "correlation_id", authmin.CorrelationID(r.Context()))
	w.Header().Set("WWW-Authenticate", authmin.Challenge(p, nil))
	authmin.WriteProblem(w, r, p)
}
