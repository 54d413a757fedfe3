package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// lintRules reports rules that never decide, since an earlier rule matches all of their
// requests and decides in another way: a deny that denies nothing.
func lintRules(g placedGuard) (findings []finding) {
	for i, rule := range g.Rules {
		findings = append(findings, lintMethods(g, i)...)
		for _, path := range rule.Paths {
			first := slices.IndexFunc(g.Rules[:i], func(earlier caddymodule.RuleConfig) bool { return takes(earlier, rule.Methods, path) })
			if first < 0 || decidesLike(g.Rules[first], rule) {
				continue
			}
			text, err := rule.Rule()
			earlier, errEarlier := g.Rules[first].Rule()
			if err != nil || errEarlier != nil {
				continue // it does not start either
			}
			findings = append(findings, finding{at: g.rules[i], warning: true,
				text: fmt.Sprintf("guard %s: `%s` never decides %s: `%s` comes before it, and the first rule that matches decides", g.Name, text, path, earlier)})
		}
	}
	return findings
}

// lintMethods reports methods that differ from a common one by one typing error: a deny
// of PSOT leaves POST to the rules after it.
func lintMethods(g placedGuard, i int) (findings []finding) {
	common := caddymodule.CommonMethods()
	for _, method := range g.Rules[i].Methods {
		if slices.Contains(common, method) {
			continue
		}
		near := slices.IndexFunc(common, func(name string) bool { return authmin.EditDistance(name, method) == 1 })
		if near < 0 {
			continue
		}
		findings = append(findings, finding{at: g.rules[i], warning: true,
			text: fmt.Sprintf("guard %s: %s is no common method; did you mean %s?", g.Name, method, common[near])})
	}
	return findings
}

// takes reports whether a rule matches every request of these methods (none: all) and
// this path.
func takes(c caddymodule.RuleConfig, methods []string, path string) bool {
	other := func(method string) bool { return !slices.Contains(c.Methods, method) }
	if len(c.Methods) > 0 && (len(methods) == 0 || slices.ContainsFunc(methods, other)) {
		return false
	}
	return slices.ContainsFunc(c.Paths, func(pattern string) bool {
		prefix, ok := strings.CutSuffix(pattern, "*")
		return pattern == path || ok && strings.HasPrefix(path, prefix)
	})
}

func decidesLike(c, other caddymodule.RuleConfig) bool {
	return c.Action == other.Action && slices.Equal(c.Scopes, other.Scopes)
}
