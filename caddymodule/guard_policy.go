package caddymodule

import (
	"fmt"

	"github.com/llorch/gateway/authmin"
)

// RuleConfig is one rule of the policy.
type RuleConfig struct {
	// public, require or deny.
	Action string `json:"action"`
	// Any of these, for require.
	Scopes []authmin.Scope `json:"scopes,omitempty"`
	// Upper case. None: every method.
	Methods []string `json:"methods,omitempty"`
	// Exact, or a prefix that ends in /*.
	Paths []string `json:"paths"`
}

// Policy builds the policy from the guard's settings. It is the only function that does:
// Provision, `authmin explain` and `authmin test` all use it.
func (g *Guard) Policy(plainAdmin bool) (*authmin.Policy, error) {
	rules := make([]authmin.Rule, 0, len(g.Rules))
	for _, config := range g.Rules {
		rule, err := config.Rule()
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return authmin.NewPolicy(authmin.PolicyOptions{
		Rules: rules, AllowEncodedSlash: g.AllowEncodedSlash, AllowTrailers: g.AllowTrailers, PlainAdmin: plainAdmin,
	})
}

// Rule converts the rule to package authmin's form. An error says what is wrong with it.
func (c RuleConfig) Rule() (authmin.Rule, error) {
	rule := authmin.Rule{Scopes: c.Scopes, Methods: c.Methods, Paths: c.Paths}
	switch c.Action {
	case "public":
		rule.Action = authmin.ActionPublic
	case "require":
		rule.Action = authmin.ActionRequire
	case "deny":
		rule.Action = authmin.ActionDeny
	default:
		return rule, fmt.Errorf("rule action %q: want public, require or deny", c.Action)
	}
	if rule.Action != authmin.ActionRequire && len(c.Scopes) > 0 {
		return rule, fmt.Errorf("rule action %s takes no scopes", c.Action)
	}
	if err := checkScopes(c.Scopes); len(c.Scopes) > 0 && err != nil {
		return rule, err
	}
	return rule, nil
}
