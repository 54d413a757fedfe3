package authmin

import (
	"slices"
	"strings"
)

// Match returns the index of the first rule that matches a method and a path as
// [CheckTarget] decoded it, or [NoRule]. It refuses an encoded slash where the
// policy does not allow one, and where another rule would match if it were read as
// a slash.
func (p *Policy) Match(method, path string) (rule int, err error) {
	rule = p.match(method, path)
	if !strings.Contains(path, encodedSlash) {
		return rule, nil
	}
	if !matchAny(p.slashes, path) {
		return NoRule, ambiguous("an encoded slash")
	}
	if p.match(method, strings.ReplaceAll(path, encodedSlash, "/")) != rule {
		return NoRule, ambiguous("an encoded slash between two rules")
	}
	return rule, nil
}

func (p *Policy) match(method, path string) int {
	for i := range p.rules {
		r := &p.rules[i]
		if r.hasMethod(method) && matchAny(r.Paths, path) {
			return i
		}
	}
	return NoRule
}

// hasMethod reports whether a rule applies to a method.
func (r *Rule) hasMethod(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}

// AllowsTrailers reports whether request trailers may go to the upstream.
func (p *Policy) AllowsTrailers(path string) bool { return matchAny(p.trailers, path) }

func matchAny(patterns []string, path string) bool {
	for _, pattern := range patterns {
		if matchPath(pattern, path) {
			return true
		}
	}
	return false
}

// matchPath matches exactly, or below a prefix that ends in `/*`: on a segment
// boundary, so that /a/* matches neither /a nor /ab.
func matchPath(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return path == pattern
}

// Rule returns the rule with an index from [Policy.Match]; for [NoRule] a rule that
// denies.
func (p *Policy) Rule(index int) Rule {
	if index == NoRule {
		return Rule{Action: ActionDeny}
	}
	return p.rules[index]
}

// RuleText returns the rule as it is written in a Caddyfile, for the audit trail.
func (p *Policy) RuleText(index int) string {
	if index == NoRule {
		return "default deny"
	}
	return p.texts[index]
}

// Rules returns how many rules there are.
func (p *Policy) Rules() int { return len(p.rules) }
