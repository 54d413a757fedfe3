package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager"
)

// stopLimit is the promised time for a stop; systemd's unit has a longer one.
const stopLimit = 4 * time.Second

// kindURLKey labels the keys of servers that templates name; see url_key_file.
const kindURLKey = "url_key_file"

// Open reads the tokens and keys, and checks the options with them.
func (c *config) Open(lookup backend.Lookup) ([]*authmin.SecretSource, error) {
	sources, err := c.Secrets().Read(lookup)
	if err != nil {
		return nil, err
	}
	o := &c.options
	o.Token, o.UpstreamToken, o.DispatchToken = c.own.Secret(), c.upstream.Secret(), c.dispatch.Secret()
	if !c.orchestrator.Secret().IsZero() {
		o.OrchestratorToken = c.orchestrator.Secret
	}
	for i, t := range c.templates {
		if t.urlKeyFile != "" {
			key, err := authmin.FileSecret(kindURLKey, "url_key_file of template "+t.Name, t.urlKeyFile)
			if err != nil {
				err = fmt.Errorf("template %q: url_key_file: %w", t.Name, err)
				return nil, &backend.KeyError{Key: "templates", Item: i + 1, Field: "url_key_file", Err: err}
			}
			t.URLKeySource = key
			c.urlKeys = append(c.urlKeys, key)
		}
		o.Templates = append(o.Templates, t.Template)
	}
	return append(sources, c.urlKeys...), o.Check()
}

// Try does no further checks: Open has checked what a start would refuse.
func (c *config) Try() error { return nil }

// tokens are the secrets as next gives them.
func (c *config) tokens(next func(*authmin.SecretSource) authmin.Secret) poolmanager.Tokens {
	t := poolmanager.Tokens{Own: next(c.own), Upstream: next(c.upstream), Dispatch: next(c.dispatch), Sent: []authmin.Secret{next(c.orchestrator)}}
	for _, key := range c.urlKeys {
		t.Sent = append(t.Sent, next(key))
	}
	return t
}

// Start starts the pool manager.
func (c *config) Start(ctx context.Context, log *slog.Logger) (backend.Service, error) {
	o := c.options
	o.Log = log
	s, err := poolmanager.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	log.Info("pool manager started", "address", s.Addr(), "version", poolmanager.Version)
	return service{s, c}, nil
}

// service is the pool manager while it runs.
type service struct {
	*poolmanager.Service
	config *config
}

// StopLimit is the time for a stop.
func (s service) StopLimit() time.Duration { return stopLimit }

// SetSecrets puts tokens into use.
func (s service) SetSecrets(next func(*authmin.SecretSource) authmin.Secret) error {
	return s.SetTokens(s.config.tokens(next))
}

// SecretFailed counts a token's file that could not be used.
func (s service) SecretFailed(kind string) { s.SourceFailed(kind) }

// SecretsUnusable sets the metric of files that are not in use as they are now.
func (s service) SecretsUnusable(count int) { s.SourcesUnusable(count) }
