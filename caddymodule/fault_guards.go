package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	examinations = append(examinations, misplacedGuards, deadRules, namesTwice, slashedPaths)
}

// misplacedGuards finds guards that are not asked, or not for every request, and
// what takes the credential that a guard needs.
func misplacedGuards(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		switch {
		case h.name == "authentication" && len(h.way.guards) > 0:
			faults = append(faults, faultf(wrong, h.server,
				"basic_auth behind a guard never lets a request in: both read Authorization, and the guard has taken it off; remove basic_auth, or put it into a handle block without a guard"))
		case h.name != AppName:
			continue
		case h.way.answered:
			faults = append(faults, faultf(refused, h.server,
				"guard %s is never asked: a handler before it answers every request; put it before what it guards", h.guardName()).of(h, 0))
		case h.last && h.hasMatcher():
			faults = append(faults, faultf(refused, h.server,
				"guard %s stands alone in a route with a matcher, so that what the matcher does not match passes by; remove the matcher and write rules, or put what it guards into the same route", h.guardName()).of(h, 0))
		}
		if h.name == AppName && h.way.basicAuth {
			faults = append(faults, faultf(wrong, h.server,
				"guard %s stands behind basic_auth, so that no request passes both: each reads Authorization; remove basic_auth, or put it into a handle block without a guard", h.guardName()).of(h, 0))
		}
	}
	return faults
}

// hasMatcher reports whether the route that a handler is in has one.
func (h *inspected) hasMatcher() bool {
	return len(h.way.around) > 0 && len(h.way.around[len(h.way.around)-1].MatcherSetsRaw) > 0
}

// deadRules finds rules that no request can match, since the guard is asked only for
// other paths. Below handle_path that is a mistake; in a policy that several handle
// blocks share, each has rules for the others.
func deadRules(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != AppName {
			continue
		}
		g, err := ReadGuard(canonical(h.raw))
		if err != nil {
			continue // it does not start
		}
		severity := suspect
		if h.way.rewritten {
			severity = wrong
		}
		for i, rule := range g.Rules {
			for _, path := range rule.Paths {
				patterns, dead := h.way.keepsOut(path)
				if !dead {
					continue
				}
				faults = append(faults, faultf(severity, h.server,
					"guard %s: no request can match `%s` of a rule: only %s comes to this guard, and rules match the path as the client sent it, before handle_path or a rewrite; write the whole path",
					g.Name, path, strings.Join(patterns, ", ")).of(h, i+1))
			}
		}
	}
	return faults
}

// keepsOut reports whether the routes around a guard let no request with a path come
// to it, and by which patterns.
func (w way) keepsOut(path string) (patterns []string, out bool) {
	for _, route := range w.around[:w.clean] {
		patterns, all := pathsOf(&route)
		if all && !slices.ContainsFunc(patterns, func(pattern string) bool { return mayMeet(path, pattern) }) {
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

// mayMeet reports whether some path may match a rule's pattern and one of Caddy's,
// which ignores case. It says no only where that is sure.
func mayMeet(rule, pattern string) bool {
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

// namesTwice finds guards that cannot be told apart in metrics, in the audit trail, by
// `explain` and by `test`. One that a snippet brings into several sites is one guard.
func namesTwice(in *inspection) (faults []Fault) {
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
			faults = append(faults, faultf(suspect, h.server,
				"two guards are called %s: metrics, audit trail and explain cannot tell them apart; write a name after authmin in each", name).of(h, 0))
		}
	}
	return faults
}

// slashedPaths finds rules whose author may have meant a prefix.
func slashedPaths(in *inspection) (faults []Fault) {
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
					faults = append(faults, faultf(suspect, h.server,
						"guard %s: `%s` is that path alone, and nothing below it; write `%s*` for what lies below", g.Name, path, path).of(h, i+1))
				}
			}
		}
	}
	return faults
}
