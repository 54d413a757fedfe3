package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

// errCallerGone ends a request in progress whose token was removed.
var errCallerGone = errors.New("the token is no longer valid")

// backendRing is the keyring of a service's own credentials: two that are equal,
// and a weak one, are refused.
func backendRing(service string, token, upstream authmin.Secret) (*authmin.Keyring, error) {
	var tokens []authmin.Token
	for _, t := range []struct {
		name   string
		secret authmin.Secret
	}{{authmin.NameDefault, token}, {nameGateway, upstream}} {
		if t.secret.IsZero() {
			continue
		}
		if err := authmin.CheckStrength(t.secret); err != nil {
			return nil, fmt.Errorf("guarding %s: %s token: %w", service, t.name, err)
		}
		tokens = append(tokens, authmin.NewToken(t.name, t.secret, authmin.AllScopes()...))
	}
	ring, err := authmin.NewKeyring(tokens)
	if err != nil {
		return nil, fmt.Errorf("guarding %s: LLORCH_API_TOKEN and LLORCH_UPSTREAM_TOKEN must differ: %w", service, err)
	}
	return ring, nil
}

// SetTokens replaces both credentials while the service runs, and the other secrets that
// its log must not show. On an error the old ones stay in use. Requests in progress that
// were admitted by a caller's own token end when that token is removed. Those of the
// gateway continue: the gateway ends them itself when a client's token is removed.
func (b *Authenticator) SetTokens(token, upstream authmin.Secret, others ...authmin.Secret) error {
	ring, err := backendRing(b.service, token, upstream)
	if err != nil {
		return err
	}
	if ring.Len() < b.ring.Load().Len() {
		return fmt.Errorf("guarding %s: a credential of the start is missing; the service keeps the old ones", b.service)
	}
	b.ring.Store(ring)
	b.others.Store(authmin.SecretRing(others...))
	b.callers.sweep(ring, time.Now())
	return nil
}

// callerSet holds the requests in progress that were admitted by a caller's own token.
// It is bounded by the connections that the server has.
type callerSet struct {
	mu    sync.Mutex
	calls map[*liveCall]struct{}
}

// liveCall is one of them.
type liveCall struct {
	digest authmin.Digest
	cancel context.CancelCauseFunc

	mu     sync.Mutex // held while the response may be touched
	done   bool       // the handler has returned: the response is the server's again
	writer http.ResponseWriter
}

// track makes a request end with its token, until release is called.
func (s *callerSet) track(w http.ResponseWriter, r *http.Request, digest authmin.Digest) (_ *http.Request, release func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	call := &liveCall{digest: digest, cancel: cancel, writer: w}
	s.mu.Lock()
	if s.calls == nil {
		s.calls = make(map[*liveCall]struct{})
	}
	s.calls[call] = struct{}{}
	s.mu.Unlock()
	return r.WithContext(ctx), func() {
		s.mu.Lock()
		delete(s.calls, call)
		s.mu.Unlock()
		call.mu.Lock()
		call.done = true
		call.mu.Unlock()
		cancel(nil)
	}
}

// sweep ends the requests whose token is no longer in the keyring.
func (s *callerSet) sweep(ring *authmin.Keyring, now time.Time) {
	s.mu.Lock()
	var gone []*liveCall
	for call := range s.calls {
		if _, verdict := ring.Lookup(call.digest, now); verdict != authmin.VerdictValid {
			gone = append(gone, call)
		}
	}
	s.mu.Unlock()
	for _, call := range gone {
		call.end()
	}
}

// end cuts a request off. The context ends the work; the deadlines are for a
// read or write that waits for the client.
func (c *liveCall) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	c.cancel(errCallerGone)
	past := time.Unix(1, 0)
	rc := http.NewResponseController(c.writer)
	_ = rc.SetReadDeadline(past)
	_ = rc.SetWriteDeadline(past)
}
