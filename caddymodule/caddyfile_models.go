package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseBlock reads the block of a token:
//
//	models <pattern...>
//	budget <n> tokens|requests per hour|day|month [hard]
func (t *TokenSource) parseBlock(d *caddyfile.Dispenser) (err error) {
	for d.NextBlock(1) {
		switch d.Val() {
		case "budget":
			if t.Budgets, err = addBudget(t.Budgets, d.RemainingArgs()); err != nil {
				return d.Errf("token %s: budget: %v", t.Name, err)
			}
			continue
		case "models":
		default:
			return d.Errf("unknown option %s of a token; want models or budget", d.Val())
		}
		if t.Models != nil {
			return d.Err("models is given twice")
		}
		models, err := parseModelWords(d)
		if err != nil {
			return d.Errf("token %s: %v", t.Name, err)
		}
		t.Models = models
	}
	return nil
}

// parseBlock reads the block of the trusted proxies:
//
//	scopes <scope...>
//	models <pattern...>
func (p *TrustProxy) parseBlock(d *caddyfile.Dispenser) (err error) {
	for d.NextBlock(1) {
		option := d.Val()
		switch {
		case option != "scopes" && option != "models":
			return d.Errf("unknown option %s of trust_proxy; want scopes or models", option)
		case option == "scopes" && p.Scopes != nil || option == "models" && p.Models != nil:
			return d.Errf("%s is given twice", option)
		case option == "scopes":
			p.Scopes, err = parseScopes(d.RemainingArgs())
		default:
			p.Models, err = parseModelWords(d)
		}
		if err != nil {
			return d.Errf("trust_proxy: %v", err)
		}
	}
	return nil
}

// parseModelWords reads the patterns of a list of models.
func parseModelWords(d *caddyfile.Dispenser) ([]string, error) {
	words := d.RemainingArgs()
	_, err := parseModelList(words)
	return words, err
}
