package main

import (
	"fmt"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager"
)

// kindURLKey labels the keys of servers that templates name; see url_key_file.
const kindURLKey = "url_key_file"

// sources are where the secrets come from. Those from files are followed.
type sources struct {
	own, upstream, dispatch, orchestrator *authmin.SecretSource
	urlKeys                               []*authmin.SecretSource
}

// follow reads the secrets once more, as sources, and makes the options use them.
func follow(o *poolmanager.Options, keyFiles []string, lookup func(string) (string, bool)) (s sources, err error) {
	for _, source := range []struct {
		name string
		into **authmin.SecretSource
	}{
		{"LLORCH_API_TOKEN", &s.own}, {"LLORCH_UPSTREAM_TOKEN", &s.upstream},
		{"POOL_MANAGERD_DISPATCH_TOKEN", &s.dispatch}, {"ORCHESTRATORD_TOKEN", &s.orchestrator},
	} {
		if *source.into, err = authmin.SecretSourceFromEnv(lookup, source.name); err != nil {
			return s, err
		}
	}
	if s.orchestrator.Secret().IsZero() {
		s.orchestrator = s.own
	}
	o.Token, o.UpstreamToken, o.DispatchToken = s.own.Secret(), s.upstream.Secret(), s.dispatch.Secret()
	if o.OrchestratorToken != nil {
		o.OrchestratorToken = s.orchestrator.Secret
	}
	for i, file := range keyFiles {
		if file == "" {
			continue
		}
		key, err := authmin.FileSecret(kindURLKey, "url_key_file of template "+o.Templates[i].Name, file)
		if err != nil {
			return s, fmt.Errorf("url_key_file: %w", err)
		}
		o.Templates[i].URLKeySource = key
		s.urlKeys = append(s.urlKeys, key)
	}
	return s, nil
}

func (s sources) all() []*authmin.SecretSource {
	all := []*authmin.SecretSource{s.own, s.upstream, s.dispatch}
	if s.orchestrator != s.own {
		all = append(all, s.orchestrator)
	}
	return append(all, s.urlKeys...)
}

// tokens are the secrets as next gives them.
func (s sources) tokens(next func(*authmin.SecretSource) authmin.Secret) poolmanager.Tokens {
	t := poolmanager.Tokens{Own: next(s.own), Upstream: next(s.upstream), Dispatch: next(s.dispatch), Sent: []authmin.Secret{next(s.orchestrator)}}
	for _, key := range s.urlKeys {
		t.Sent = append(t.Sent, next(key))
	}
	return t
}
