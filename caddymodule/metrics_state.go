package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
)

// unguardedListeners counts the listeners of a configuration at which a service can be
// reached without a guard.
type unguardedListeners struct{ exposed, loopback int }

// unguarded counts the listeners of the servers with such a handler. An address that
// cannot be read counts as exposed.
func (c *Config) unguarded(found *Coverage) (n unguardedListeners) {
	seen := map[string]bool{}
	for _, handler := range found.Open {
		if !handler.ReachesService() || seen[handler.Server] {
			continue
		}
		seen[handler.Server] = true
		for _, text := range c.HTTP.Servers[handler.Server].Listen {
			if address, err := caddy.ParseNetworkAddress(text); err == nil && IsLoopback(address) {
				n.loopback++
			} else {
				n.exposed++
			}
		}
	}
	return n
}

func (m *metrics) setUnguarded(n unguardedListeners) {
	m.unguardedListeners.WithLabelValues("exposed").Set(float64(n.exposed))
	m.unguardedListeners.WithLabelValues("loopback").Set(float64(n.loopback))
}

// unusable counts the files of tokens that are not in use as they are now.
func (s *tokenStore) unusable() int {
	count := 0
	for _, f := range s.files {
		if f.problem != "" || f.detached != "" {
			count++
		}
	}
	if s.secrets != nil {
		count += s.secrets.Unusable()
	}
	return count
}
