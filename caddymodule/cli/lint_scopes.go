package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// holders are the scopes that all identities of a configuration have together. Only names
// and scopes are read, no tokens.
type holders struct {
	scopes  []authmin.Scope
	unread  []error // keyring files that cannot be read here
	plain   bool    // scope admin is a scope like the others
	ambient bool    // the environment's token, with every scope
}

func (h *holders) add(scopes []authmin.Scope) { h.scopes = append(h.scopes, scopes...) }

func holdersOf(s *settings, now time.Time) holders {
	var h holders
	if !s.App.Configured() {
		h.ambient = true
		h.add(authmin.AllScopes())
		return h
	}
	h.plain = s.App.PlainAdmin()
	for _, token := range s.App.Tokens {
		h.add(token.Scopes)
	}
	if s.App.TrustProxy != nil {
		h.add(s.App.TrustProxy.Scopes)
	}
	for _, path := range s.App.TokenFiles {
		tokens, err := authmin.ReadKeyringFile(path)
		if err != nil {
			h.unread = append(h.unread, err)
			continue
		}
		for i := range tokens {
			switch tokens[i].VerdictAt(now) {
			case authmin.VerdictValid, authmin.VerdictNotYet:
				h.add(tokens[i].Scopes)
			}
		}
	}
	return h
}

// lintScopes reports rules with scopes that no token holds. Scope admin passes every
// rule, so beside a token with it only a scope that is not a shipped one is reported: it
// may be misspelled.
func lintScopes(s *settings) []finding {
	guards, err := guardsOf(s)
	if err != nil || len(guards) == 0 {
		return nil // lintGuards has reported it
	}
	h := holdersOf(s, time.Now())
	var findings []finding
	for _, err := range h.unread {
		findings = append(findings, finding{at: position{file: s.file}, warning: true,
			text: fmt.Sprintf("the scopes of the rules were not checked: %v", err)})
	}
	if len(h.unread) > 0 {
		return findings
	}
	for _, g := range guards {
		reached := slices.ContainsFunc(g.Rules, func(rule caddymodule.RuleConfig) bool { return slices.ContainsFunc(rule.Scopes, h.has) })
		for i, rule := range g.Rules {
			for _, scope := range rule.Scopes {
				if f, bad := h.judge(scope, rule.Scopes); bad {
					// A shipped scope that no token holds yet is not misspelled: a warning
					// when other rules of the guard have tokens.
					f.warning = f.warning || reached && slices.Contains(authmin.AllScopes(), scope)
					f.at = g.rules[i]
					f.text = fmt.Sprintf("guard %s: %s", g.Name, f.text)
					findings = append(findings, f)
				}
			}
		}
	}
	return findings
}

func (h *holders) has(scope authmin.Scope) bool { return slices.Contains(h.scopes, scope) }

func (h *holders) judge(scope authmin.Scope, rule []authmin.Scope) (finding, bool) {
	if slices.Contains(h.scopes, scope) {
		return finding{}, false
	}
	met := slices.ContainsFunc(rule, func(s authmin.Scope) bool { return slices.Contains(h.scopes, s) })
	switch {
	case !h.plain && slices.Contains(h.scopes, authmin.ScopeAdmin):
		if slices.Contains(authmin.AllScopes(), scope) {
			return finding{}, false
		}
		return finding{warning: true, text: fmt.Sprintf("no token holds scope %s, and only tokens with scope admin pass this rule; give the scope to a token, or correct the rule", scope)}, true
	case met:
		return finding{warning: true, text: fmt.Sprintf("no token holds scope %s; give the scope to a token, or remove it from the rule", scope)}, true
	}
	return finding{text: fmt.Sprintf("no token holds scope %s, and this rule refuses every request; give the scope to a token with `authmin token new`, or correct the rule", scope)}, true
}
