package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parsePublic reads the limits of public routes:
//
//	public_inflight <requests of one client>
//	public_total    <requests of all clients>
//	public_body     <duration>
func (g *Guard) parsePublic(d *caddyfile.Dispenser, option string, args []string) error {
	wrong := errPublicSlots
	if option == "public_body" {
		wrong = errPublicBody
	}
	if len(args) != 1 {
		return d.Errf("%v", wrong)
	}
	if option == "public_body" {
		limit, err := caddy.ParseDuration(args[0])
		if err != nil || limit <= 0 {
			return d.Errf("%v", wrong)
		}
		g.PublicBody = caddy.Duration(limit)
	} else {
		n, err := strconv.Atoi(args[0])
		if err != nil || n <= 0 {
			return d.Errf("%v", wrong)
		}
		if option == "public_inflight" {
			g.PublicInflight = n
		} else {
			g.PublicTotal = n
		}
	}
	if _, err := g.publicRuleOf(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
