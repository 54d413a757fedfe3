package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Config is a whole Caddy configuration, decoded as far as guards depend on it. A start
// checks the configuration that it loads, and the commands check one that they have
// read. Nothing in it is provisioned.
type Config struct {
	Caddy *caddy.Config
	HTTP  caddyhttp.App
	App   App // see [App.Configured] for whether there is a global authmin block
}

// DecodeConfig decodes the apps http and authmin of a configuration.
func DecodeConfig(config *caddy.Config) (*Config, error) {
	c := &Config{Caddy: config}
	if raw, ok := config.AppsRaw["http"]; ok {
		if err := json.Unmarshal(raw, &c.HTTP); err != nil {
			return nil, fmt.Errorf("reading configuration: app http: %w", err)
		}
	}
	if raw, ok := config.AppsRaw[AppName]; ok {
		if err := json.Unmarshal(raw, &c.App); err != nil {
			return nil, fmt.Errorf("reading configuration: app %s: %w", AppName, err)
		}
	}
	return c, nil
}

// Servers returns the sorted names of the HTTP servers.
func (c *Config) Servers() []string {
	names := make([]string, 0, len(c.HTTP.Servers))
	for name := range c.HTTP.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
