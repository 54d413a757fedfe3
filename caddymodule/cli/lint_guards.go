package cli

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/caddymodule"
)

// placedGuard is a guard of the configuration with where it was written.
type placedGuard struct {
	*caddymodule.Guard
	server, raw string
	at          position
	rules       []position // of each rule
}

// guardsOf returns the guards that requests reach, each once for each server.
func guardsOf(s *settings) ([]placedGuard, error) {
	written := guardsWritten(s.blocks)
	var guards []placedGuard
	var seen []string
	for _, handler := range s.Coverage().Guards {
		key := handler.Server + handler.Raw
		if slices.Contains(seen, key) {
			continue
		}
		seen = append(seen, key)
		read, err := caddymodule.ReadGuard(handler.Raw)
		if err != nil {
			return nil, fmt.Errorf("reading guard: %w", err)
		}
		g := placedGuard{Guard: read, server: handler.Server, raw: handler.Raw, at: position{file: s.file}, rules: make([]position, len(read.Rules))}
		for i := range g.rules {
			g.rules[i] = g.at
		}
		if place, ok := written[handler.Raw]; ok && len(place.rules) == len(g.Rules) {
			g.at, g.rules = place.at, place.rules
		}
		guards = append(guards, g)
	}
	return guards, nil
}

// guardsWritten finds the directives in the text, by the configuration that each
// one makes.
func guardsWritten(blocks []caddyfile.ServerBlock) map[string]placedGuard {
	found := map[string]placedGuard{}
	var visit func(st *statement)
	visit = func(st *statement) {
		if st.segment >= 0 && st.word == caddymodule.AppName {
			if raw, ok := caddymodule.AdaptGuard(blocks[st.block].Segments[st.segment][st.start:st.end]); ok {
				if _, twice := found[raw]; !twice {
					found[raw] = placedGuard{at: st.at, rules: rulePlaces(st)}
				}
			}
			return
		}
		for _, inner := range st.inner {
			visit(inner)
		}
	}
	for _, site := range statements(blocks) {
		visit(site)
	}
	return found
}

func rulePlaces(guard *statement) []position {
	var places []position
	for _, option := range guard.inner {
		switch option.word {
		case "public", "require", "deny":
			places = append(places, option.at)
		}
	}
	return places
}

// lintGuards reports shadow guards, and rules that need no token or never decide.
func lintGuards(s *settings) []finding {
	guards, err := guardsOf(s)
	if err != nil {
		return []finding{{at: position{file: s.file}, text: err.Error()}}
	}
	var findings []finding
	for _, g := range guards {
		if g.Shadow {
			findings = append(findings, finding{at: g.at, warning: true,
				text: fmt.Sprintf("guard %s is a shadow: it lets everything pass, and only counts what it would refuse; remove `shadow` to enforce it", g.Name)})
		}
		if g.Shadow && len(g.CORS) > 0 {
			findings = append(findings, finding{at: g.at, warning: true,
				text: fmt.Sprintf("guard %s: a shadow guard ignores `cors`, and the upstream decides what web pages can read", g.Name)})
		}
		findings = append(findings, lintRules(g)...)
		for i, rule := range g.Rules {
			if rule.Action == "public" && slices.Contains(rule.Paths, "/*") {
				findings = append(findings, finding{at: g.rules[i], warning: true,
					text: fmt.Sprintf("guard %s: `public /*` allows every request without a token, and the rules after it have no effect", g.Name)})
			}
		}
	}
	return findings
}
