package caddymodule

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

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
