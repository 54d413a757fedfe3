package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/store"
)

// stopTimeout bounds a stop after the time for draining; the parts have shorter limits of their own.
const stopTimeout = 5 * time.Second

// config is one reading of the configuration; it is the [backend.Daemon].
type config struct {
	options                    app.Options
	cluster                    store.Cluster  // the keys; options has it where it is used
	nats                       store.External // the same
	nodeCA                     string         // the same
	own, upstream, poolManager *authmin.SecretSource
}

// tokens are the secrets as next gives them.
func (d *config) tokens(next func(*authmin.SecretSource) authmin.Secret) app.Tokens {
	return app.Tokens{Own: next(d.own), Upstream: next(d.upstream), PoolManager: next(d.poolManager)}
}

// Open reads the tokens and the authorities, and checks whether the tokens suit the
// address.
func (d *config) Open(lookup backend.Lookup) ([]*authmin.SecretSource, error) {
	sources, err := d.Secrets().Read(lookup)
	if err != nil {
		return nil, err
	}
	if d.nodeCA != "" {
		if d.options.NodeCAs, err = authmin.AuthoritiesFromFile(d.nodeCA); err != nil {
			return nil, backend.KeyErrorf("node_ca", "%w", err)
		}
	}
	o, tokens := &d.options, d.tokens((*authmin.SecretSource).Secret)
	o.Token, o.UpstreamToken, o.PoolManagerToken = tokens.Own, tokens.Upstream, tokens.PoolManager
	_, err = backend.NewAuthenticator(backend.AuthOptions{
		Service: "orchestrator", Listen: o.Listen, Token: o.Token, UpstreamToken: o.UpstreamToken,
	})
	return sources, err
}

// Try looks whether the state directory can be used.
func (d *config) Try() error { return checkStateDir(d.options.StateDir) }

// Start starts the orchestrator.
func (d *config) Start(ctx context.Context, log *slog.Logger) (backend.Service, error) {
	o := d.options
	o.Log, o.Version = log, program.Build.Version
	s, err := app.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	log.Info("serving", "address", s.Addr(), "state_dir", o.StateDir, "version", o.Version)
	return service{s, d}, nil
}

// service is the orchestrator while it runs.
type service struct {
	*app.Service
	config *config
}

// StopLimit is the time for draining and a stop.
func (s service) StopLimit() time.Duration { return s.config.options.Drain + stopTimeout }

// SetSecrets puts tokens into use.
func (s service) SetSecrets(next func(*authmin.SecretSource) authmin.Secret) error {
	return s.SetTokens(s.config.tokens(next))
}

// SecretFailed counts a token's file that could not be used.
func (s service) SecretFailed(kind string) { s.SourceFailed(kind) }

// SecretsUnusable sets the metric of files that are not in use as they are now.
func (s service) SecretsUnusable(count int) { s.SourcesUnusable(count) }

// Reload reads the certificate of the cluster again.
func (s service) Reload() (reloaded, needsRestart, failed []string) {
	const certificate = "cluster certificate"
	switch err := s.ReloadCertificates(); {
	case errors.Is(err, store.ErrNeedsRestart):
		return []string{certificate}, []string{"cluster_ca"}, nil
	case err != nil:
		return nil, nil, []string{certificate + ": " + err.Error()}
	case s.config.cluster.CertFile != "":
		return []string{certificate}, nil, nil
	}
	return nil, nil, nil
}
