package caddymodule

import (
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
)

func init() {
	faultChecks = append(faultChecks, openPrefixes)
}

// openPrefixes finds prefixes that Caddy matches or strips in the middle of a segment,
// while the policy matches whole segments: `handle_path /ollama*` serves
// /ollamaapi/pull as /api/pull, and the policy has a weaker rule for /ollamaapi/pull.
func openPrefixes(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if classify(h.name) == harmless || len(h.before.guards) == 0 {
			continue
		}
		prefixes := h.before.prefixes
		for i := range h.before.around {
			for _, set := range h.before.around[i].MatcherSetsRaw {
				prefixes = union(prefixes, openMatchers(set))
			}
		}
		for _, raw := range h.before.guards {
			g, err := ReadGuard(raw)
			if err != nil {
				continue
			}
			for _, prefix := range prefixes {
				strict, weak, found := g.weakerBeside(prefix, in.App.PlainAdmin())
				if !found {
					continue
				}
				faults = append(faults, faultf(refused, h.server,
					"%s serves what begins with %s in the middle of a segment, such as %sx: guard %s decides that by `%s`, not by `%s`; write %s/* in the matcher, or handle_path %s/*",
					h.directive(), prefix, prefix, g.Name, weak, strict, prefix, prefix))
			}
		}
	}
	return faults
}

// weakerBeside finds a rule for paths at or below a prefix, and a weaker rule for paths
// that continue the prefix within its last segment.
func (g *Guard) weakerBeside(prefix string, plainAdmin bool) (strict, weak string, found bool) {
	for i, s := range g.Rules {
		for j, w := range g.Rules {
			if i == j || !s.coversBelow(prefix) || !w.coversBeside(prefix, j < i) || !shareMethod(s.Methods, w.Methods) {
				continue
			}
			strictRule, err := s.Rule()
			weakRule, errWeak := w.Rule()
			if err == nil && errWeak == nil && weaker(weakRule, strictRule, plainAdmin) {
				return strictRule.String(), weakRule.String(), true
			}
		}
	}
	return "", "", false
}

// coversBelow reports whether a rule is for a prefix or for paths below it.
func (c RuleConfig) coversBelow(prefix string) bool {
	prefix = strings.ToLower(prefix)
	return slices.ContainsFunc(c.Paths, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		return pattern == prefix || strings.HasPrefix(pattern, prefix+"/")
	})
}

// coversBeside reports whether a rule matches paths that continue a prefix within its
// last segment. A rule for a parent of the prefix does not count if it comes first: it
// then decides the paths below the prefix as well.
func (c RuleConfig) coversBeside(prefix string, first bool) bool {
	prefix = strings.ToLower(prefix)
	return slices.ContainsFunc(c.Paths, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		above, open := strings.CutSuffix(pattern, "*")
		if open && strings.HasPrefix(prefix, above) {
			return !first
		}
		rest, below := strings.CutPrefix(pattern, prefix)
		return below && rest != "" && rest[0] != '/'
	})
}

// shareMethod reports whether two rules apply to a method in common.
func shareMethod(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(method string) bool { return slices.Contains(b, method) })
}

// weaker reports whether one rule lets in a caller whom the other refuses.
func weaker(weak, strict authmin.Rule, plainAdmin bool) bool {
	switch {
	case strict.Action == authmin.ActionPublic || weak.Action == authmin.ActionDeny:
		return false
	case strict.Action == authmin.ActionDeny || weak.Action == authmin.ActionPublic:
		return true
	}
	return slices.ContainsFunc(weak.Scopes, func(scope authmin.Scope) bool {
		return !slices.Contains(strict.Scopes, scope) && (scope != authmin.ScopeAdmin || plainAdmin)
	})
}

// pathCall finds the paths of a CEL matcher.
var pathCall = regexp.MustCompile(`path\(([^)]*)\)`)

// openMatchers lists the prefixes that a set of matchers matches without regard to
// segments: /ollama* and ^/ollama, but not /ollama/*.
func openMatchers(set caddy.ModuleMap) (prefixes []string) {
	patterns := textsOf(decoded(set["path"]))
	for _, text := range textsOf(decoded(set["expression"])) {
		for _, call := range pathCall.FindAllStringSubmatch(text, -1) {
			patterns = append(patterns, strings.FieldsFunc(call[1], func(c rune) bool { return strings.ContainsRune("'\"`, ", c) })...)
		}
	}
	for _, pattern := range patterns {
		prefix, open := strings.CutSuffix(pattern, "*")
		if open && len(prefix) > 1 && !strings.HasSuffix(prefix, "/") && !strings.Contains(prefix, "*") {
			prefixes = append(prefixes, prefix)
		}
	}
	if pattern, ok := at(decoded(set["path_regexp"]), "pattern").(string); ok {
		prefixes = append(prefixes, openRegexp(pattern)...)
	}
	return prefixes
}

// openRegexp returns the path that a regular expression begins with, if any text may
// follow it in the same segment.
func openRegexp(pattern string) []string {
	pattern, anchored := strings.CutPrefix(strings.TrimPrefix(pattern, "(?i)"), "^/")
	if !anchored {
		return nil
	}
	end := strings.IndexAny(pattern, `\.+*?()|[]{}^$`)
	if end < 0 {
		end = len(pattern)
	}
	prefix, rest := "/"+pattern[:end], pattern[end:]
	if len(prefix) == 1 || strings.HasSuffix(prefix, "/") {
		return nil
	}
	for _, boundary := range []string{"$", "(/", "(?:/", "(?P<", "/?$", `\b`} {
		if strings.HasPrefix(rest, boundary) {
			return nil
		}
	}
	return []string{prefix}
}

// strippedPrefixes lists the prefixes that a rewrite strips from paths although they may
// end within a segment.
func (h *inspected) strippedPrefixes() (prefixes []string) {
	for i := range h.before.around {
		for _, set := range h.before.around[i].MatcherSetsRaw {
			prefixes = union(prefixes, openMatchers(set))
		}
	}
	strip, _ := h.doc["strip_path_prefix"].(string)
	if strip != "" && !strings.HasPrefix(strip, "/") {
		strip = "/" + strip
	}
	if len(strip) > 1 && !strings.HasSuffix(strip, "/") && !h.before.bounds(strip) {
		prefixes = union(prefixes, []string{strip})
	}
	replacements, _ := h.doc["path_regexp"].([]any)
	for _, replacement := range replacements {
		find, _ := at(replacement, "find").(string)
		for _, prefix := range openRegexp(find) {
			if !h.before.bounds(prefix) {
				prefixes = union(prefixes, []string{prefix})
			}
		}
	}
	return prefixes
}

// bounds reports whether the routes around a handler match a prefix by whole segments
// only: /ollama/* around `uri strip_prefix /ollama`.
func (w history) bounds(prefix string) bool {
	prefix = strings.ToLower(prefix)
	for i := range w.around {
		patterns, all := pathsOf(&w.around[i])
		if all && !slices.ContainsFunc(patterns, func(pattern string) bool {
			pattern = strings.ToLower(pattern)
			return pattern != prefix && !strings.HasPrefix(pattern, prefix+"/") && mayOverlap(prefix+"x*", pattern)
		}) {
			return true
		}
	}
	return false
}
