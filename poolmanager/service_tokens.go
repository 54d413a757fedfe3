package poolmanager

import (
	"fmt"
	"sync/atomic"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// Tokens are the credentials that can change while the service runs.
type Tokens struct {
	Own      authmin.Secret // a caller's own
	Upstream authmin.Secret // the gateway's
	Dispatch authmin.Secret // what the orchestrator must send; see Options.DispatchToken
	// Sent are the other secrets that the service sends, for its log to leave out:
	// they are asked for where they are needed.
	Sent []authmin.Secret
}

// credentials are what of them is in use.
type credentials struct {
	auth     *backend.Authenticator
	dispatch atomic.Pointer[authmin.Secret]
	renew    func() // wakes the registration
}

func newCredentials(auth *backend.Authenticator, dispatch authmin.Secret) *credentials {
	c := &credentials{auth: auth}
	c.dispatch.Store(&dispatch)
	return c
}

// dispatchToken is what the orchestrator must send now.
func (c *credentials) dispatchToken() authmin.Secret { return *c.dispatch.Load() }

// SetTokens replaces the credentials, or refuses, and then the old ones stay.
// Requests that a caller's own token was let in with end with it. A new dispatch
// token is sent to the orchestrator by registering again.
func (s *Service) SetTokens(t Tokens) error {
	if err := s.tokens.auth.SetTokens(t.Own, t.Upstream, append(t.Sent, t.Dispatch)...); err != nil {
		return fmt.Errorf("changing tokens: %w", err)
	}
	s.tokens.dispatch.Store(&t.Dispatch)
	s.tokens.renew()
	return nil
}

// SourceFailed counts a file of a token that could not be used. The source is one
// of a closed set: it is a label of a metric.
func (s *Service) SourceFailed(source string) {
	s.pools.env.metrics.sources.Errors.WithLabelValues(source).Inc()
}

// SourcesUnusable sets the number of tokens whose file is not in use as it is now.
func (s *Service) SourcesUnusable(count int) {
	s.pools.env.metrics.sources.Unusable.Set(float64(count))
}

// sameSecret reports whether two secrets are equal; two empty ones are.
func sameSecret(a, b authmin.Secret) bool {
	return a.IsZero() && b.IsZero() || a.Equal(b)
}
