package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
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

// ReadGuard decodes a guard from [RouteHandler.Raw], and sets its default name. The guard
// is not provisioned: it has settings, and cannot serve.
func ReadGuard(raw string) (*Guard, error) {
	g := new(Guard)
	err := json.Unmarshal([]byte(raw), g)
	if g.Name == "" {
		g.Name = defaultGuardName
	}
	return g, err
}

// AdaptGuard adapts a guard's directive with its block. The result has the form of
// [RouteHandler.Raw], so that the commands can find the guard in a Caddyfile.
func AdaptGuard(tokens []caddyfile.Token) (raw string, ok bool) {
	values, err := parseGuard(httpcaddyfile.Helper{Dispenser: caddyfile.NewDispenser(slices.Clone(tokens))})
	if err != nil || len(values) != 1 {
		return "", false
	}
	route, ok := values[0].Value.(caddyhttp.Route)
	if !ok || len(route.HandlersRaw) != 1 {
		return "", false
	}
	return canonical(route.HandlersRaw[0]), true
}

// GuardsIn returns the guards in a route, in the routes inside it, and in the named
// routes that those call.
func GuardsIn(route *caddyhttp.Route, named map[string]*caddyhttp.Route) []RouteHandler {
	var found Coverage
	w := walker{named: named, found: &found}
	w.route(route, flow{open: true}, 0)
	return found.Guards
}
