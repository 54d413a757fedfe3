package main

import (
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
)

// secrets are where the tokens come from.
type secrets struct{ own, upstream, poolManager *authmin.SecretSource }

// readSecrets reads the tokens of the environment, or of the files that it names.
func readSecrets(lookup func(string) (string, bool)) (s secrets, err error) {
	for _, source := range []struct {
		name string
		to   **authmin.SecretSource
	}{
		{"LLORCH_API_TOKEN", &s.own}, {"LLORCH_UPSTREAM_TOKEN", &s.upstream}, {"POOL_MANAGER_TOKEN", &s.poolManager},
	} {
		if *source.to, err = authmin.SecretSourceFromEnv(lookup, source.name); err != nil {
			return s, err
		}
	}
	if s.poolManager.Secret().IsZero() {
		s.poolManager = s.own
	}
	return s, nil
}

func (s secrets) all() []*authmin.SecretSource {
	all := []*authmin.SecretSource{s.own, s.upstream}
	if s.poolManager != s.own {
		all = append(all, s.poolManager)
	}
	return all
}

// tokens are the secrets as next gives them.
func (s secrets) tokens(next func(*authmin.SecretSource) authmin.Secret) app.Tokens {
	return app.Tokens{Own: next(s.own), Upstream: next(s.upstream), PoolManager: next(s.poolManager)}
}
