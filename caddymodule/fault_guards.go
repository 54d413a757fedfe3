package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	faultChecks = append(faultChecks, misplacedGuards, deadRules, duplicateNames, trailingSlashes)
}

// misplacedGuards finds guards that decide no request, or not every request, and
// handlers that conflict with a guard over the Authorization header.
func misplacedGuards(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		switch {
		case h.name == "authentication" && len(h.before.guards) > 0:
			faults = append(faults, faultf(lintError, h.server,
				"basic_auth behind a guard refuses every request: both read Authorization, and the guard removes it; remove basic_auth, or put it into a handle block without a guard"))
		case h.name != AppName:
			continue
		case h.before.answered:
			faults = append(faults, faultf(refused, h.server,
				"guard %s never runs: a handler before it answers every request; put it before what it guards", h.guardName()).inGuard(h, 0))
		case h.last && h.hasMatcher():
			faults = append(faults, faultf(refused, h.server,
				"guard %s is alone in a route with a matcher, so that requests which do not match bypass it; remove the matcher and write rules, or put what it guards into the same route", h.guardName()).inGuard(h, 0))
		}
		if h.name == AppName && h.before.basicAuth {
			faults = append(faults, faultf(lintError, h.server,
				"guard %s is behind basic_auth, so that no request passes both: each reads Authorization; remove basic_auth, or put it into a handle block without a guard", h.guardName()).inGuard(h, 0))
		}
	}
	return faults
}

// hasMatcher reports whether the route around a handler has a matcher.
func (h *inspected) hasMatcher() bool {
	return len(h.before.around) > 0 && len(h.before.around[len(h.before.around)-1].MatcherSetsRaw) > 0
}

// deadRules finds rules that no request can match, because only other paths reach the
// guard. Below handle_path that is an error; it is normal in a policy that several
// handle blocks share.
func deadRules(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != AppName {
			continue
		}
		g, err := ReadGuard(canonical(h.raw))
		if err != nil {
			continue // the start refuses it
		}
		level := warning
		if h.before.rewritten {
			level = lintError
		}
		for i, rule := range g.Rules {
			for _, path := range rule.Paths {
				patterns, dead := h.before.keepsOut(path)
				if !dead {
					continue
				}
				faults = append(faults, faultf(level, h.server,
					"guard %s: no request can match `%s` of a rule: only %s reaches this guard, and rules match the path as the client sent it, before handle_path or a rewrite; write the whole path",
					g.Name, path, strings.Join(patterns, ", ")).inGuard(h, i+1))
			}
		}
	}
	return faults
}

// keepsOut reports whether the routes around a guard prevent every request with a path
// from reaching it, and with which patterns.
func (w history) keepsOut(path string) (patterns []string, out bool) {
	for _, route := range w.around[:w.clean] {
		patterns, all := pathsOf(&route)
		if all && !slices.ContainsFunc(patterns, func(pattern string) bool { return mayOverlap(path, pattern) }) {
			return patterns, true
		}
	}
	return nil, false
}

// pathsOf lists the path patterns of a route, and reports whether every request that
// it takes matches one of them.
func pathsOf(route *caddyhttp.Route) (patterns []string, all bool) {
	for _, set := range route.MatcherSetsRaw {
		paths := textsOf(decoded(set["path"]))
		if len(paths) == 0 {
			return nil, false
		}
		patterns = append(patterns, paths...)
	}
	return patterns, len(patterns) > 0
}

// mayOverlap reports whether some path may match both a rule's pattern and a pattern of
// Caddy, which ignores case. It returns false only if that is certain.
func mayOverlap(rule, pattern string) bool {
	rule, pattern = strings.ToLower(rule), strings.ToLower(pattern)
	prefix, open := strings.CutSuffix(pattern, "*")
	if strings.ContainsAny(prefix, "*?[{%\\") {
		return true
	}
	rulePrefix, ruleOpen := strings.CutSuffix(rule, "*")
	switch {
	case open && ruleOpen:
		return strings.HasPrefix(prefix, rulePrefix) || strings.HasPrefix(rulePrefix, prefix)
	case open:
		return strings.HasPrefix(rule, prefix)
	case ruleOpen:
		return strings.HasPrefix(prefix, rulePrefix)
	}
	return rule == prefix
}

// duplicateNames finds guards that cannot be distinguished in metrics, in the audit
// trail, by `explain` and by `test`. A guard that a snippet adds to several sites counts
// as one.
func duplicateNames(in *inspection) (faults []Fault) {
	first := map[string]string{} // name to configuration
	for _, h := range in.handlers {
		if h.name != AppName {
			continue
		}
		raw, name := canonical(h.raw), h.guardName()
		switch other, known := first[name]; {
		case !known:
			first[name] = raw
		case other != raw:
			faults = append(faults, faultf(warning, h.server,
				"two guards are called %s: metrics, audit trail and explain cannot tell them apart; write a name after authmin in each", name).inGuard(h, 0))
		}
	}
	return faults
}

// trailingSlashes finds rules with a path that was probably meant as a prefix.
func trailingSlashes(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != AppName {
			continue
		}
		g, err := ReadGuard(canonical(h.raw))
		if err != nil {
			continue
		}
		for i, rule := range g.Rules {
			for _, path := range rule.Paths {
				if len(path) > 1 && strings.HasSuffix(path, "/") && !slices.Contains(rule.Paths, path+"*") {
					faults = append(faults, faultf(warning, h.server,
						"guard %s: `%s` is that path alone, and nothing below it; write `%s*` for what lies below", g.Name, path, path).inGuard(h, i+1))
				}
			}
		}
	}
	return faults
}
