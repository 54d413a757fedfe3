package app

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// Tokens are the credentials that can change while the service runs.
type Tokens struct {
	Own         authmin.Secret // a caller's own
	Upstream    authmin.Secret // the gateway's
	PoolManager authmin.Secret // sent to the nodes of NodeAddresses; zero: Own
}

// credentials are the tokens in use.
type credentials struct {
	auth         *backend.Authenticator
	poolManager  atomic.Pointer[authmin.Secret]
	sourceErrors *prometheus.CounterVec
}

func newCredentials(auth *backend.Authenticator, poolManager authmin.Secret) *credentials {
	c := &credentials{auth: auth, sourceErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orchd_token_source_errors_total",
		Help: "Files of tokens that could not be read while serving, so that the last good token stays in use, and files whose replacement is not seen because they are mounted by themselves.",
	}, []string{"source"})}
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
func (s *Service) SourceFailed(source string) { s.tokens.sourceErrors.WithLabelValues(source).Inc() }

// ReloadCertificates reads the certificate of the cluster's routes again; see
// [store.Cluster.Reload].
func (s *Service) ReloadCertificates() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Reload()
}
