package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestListenersWithoutAGuardAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		sites string
		want  unguardedListeners
	}{
		"a guard before the service":     {"example.com {\n\tauthmin {\n\t\tpublic /x\n\t}\n\treverse_proxy 127.0.0.1:9\n}", unguardedListeners{}},
		"a fixed answer":                 {"example.com {\n\trespond ok\n}", unguardedListeners{}},
		"a service for everyone":         {"example.com {\n\treverse_proxy 127.0.0.1:9\n}", unguardedListeners{exposed: 1}},
		"two handlers, one listener":     {"example.com {\n\treverse_proxy /a 127.0.0.1:9\n\treverse_proxy /b 127.0.0.1:9\n}", unguardedListeners{exposed: 1}},
		"metrics for this machine":       {"http://127.0.0.1:2112 {\n\tbind 127.0.0.1\n\tmetrics\n}", unguardedListeners{loopback: 1}},
		"on two addresses":               {"http://:2112 {\n\tbind 127.0.0.1 0.0.0.0\n\tmetrics\n}", unguardedListeners{exposed: 1, loopback: 1}},
		"a guard in another site's port": {"example.com {\n\tauthmin {\n\t\tpublic /x\n\t}\n\treverse_proxy 127.0.0.1:9\n}\nexample.com:8443 {\n\treverse_proxy 127.0.0.1:9\n}", unguardedListeners{exposed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := adapt("Caddyfile", c.sites)
			if err != nil {
				t.Fatal(err)
			}
			var plain caddy.Config
			if err := caddy.StrictUnmarshalJSON(text, &plain); err != nil {
				t.Fatal(err)
			}
			config, err := DecodeConfig(&plain)
			if err != nil {
				t.Fatal(err)
			}
			if got := config.unguarded(config.Coverage()); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// The gauges of a configuration in use are set from its start, also those that are zero.
func TestUnguardedListenersAreAMetric(t *testing.T) {
	g := serve(t, false, twoTokens, "route {\n\treverse_proxy /open/* 127.0.0.1:9\n\tauthmin gauges {\n\t\tpublic /metrics\n\t}\n\tmetrics /metrics\n}")
	_, body := g.ask(t, plainClient(), "GET", "/metrics")
	for _, want := range []string{`llorch_unguarded_listeners{reach="exposed"} 0`, `llorch_unguarded_listeners{reach="loopback"} 1`, "llorch_token_sources_unusable 0"} {
		if !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}
