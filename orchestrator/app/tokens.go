package app

import (
	"fmt"
	"sync/atomic"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/backend/metrics"
)

// Tokens are the credentials that can change while the service runs.
type Tokens struct {
	Own         authmin.Secret // a caller's own
	Upstream    authmin.Secret // the gateway's
	PoolManager authmin.Secret // sent to the nodes of NodeAddresses; zero: Own
}

// credentials are the tokens in use.
type credentials struct {
	auth        *backend.Authenticator
	poolManager atomic.Pointer[authmin.Secret]
	sources     metrics.TokenSources
}

func newCredentials(auth *backend.Authenticator, poolManager authmin.Secret) *credentials {
	c := &credentials{auth: auth, sources: metrics.NewTokenSources()}
	c.poolManager.Store(&poolManager)
	return c
}

// forNodes is the credential for nodes that have none of their own.
func (c *credentials) forNodes() authmin.Secret { return *c.poolManager.Load() }

// SetTokens replaces the credentials; on an error the old ones stay in use. Requests
// that were admitted by a replaced token of a caller end.
func (s *Service) SetTokens(t Tokens) error {
	if t.PoolManager.IsZero() {
		t.PoolManager = t.Own
	}
	if err := s.tokens.auth.SetTokens(t.Own, t.Upstream, t.PoolManager); err != nil {
		return fmt.Errorf("changing tokens: %w", err)
	}
	s.tokens.poolManager.Store(&t.PoolManager)
	return nil
}

// SourceFailed counts a file of a token that could not be used. The source is one
// of a closed set: it is a label of a metric.
func (s *Service) SourceFailed(source string) { s.tokens.sources.Errors.WithLabelValues(source).Inc() }

// SourcesUnusable sets the number of tokens whose file's present content is not in use.
func (s *Service) SourcesUnusable(count int) { s.tokens.sources.Unusable.Set(float64(count)) }

// ReloadCertificates reads the certificate of the cluster's routes again; see
// [store.Cluster.Reload].
func (s *Service) ReloadCertificates() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Reload()
}
