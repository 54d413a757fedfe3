package main

import (
	"fmt"
	"slices"
	"strings"
)

// The walks: of each shipped policy, over the routers' own tables, and of each
// service over TCP. Both name their subtests after the routes.
var (
	policyWalk  = named{"./integration/presets", "TestEveryRouteIsGuarded", 0}
	serviceWalk = map[string]named{
		"orchestrator": {"./orchestrator", "TestAuthIntegration", 0},
		"poolmanager":  {"./poolmanager", "TestAuthIntegration", 0},
	}
)

// openRoutes need no token; the walk of the policies fails for any other that is
// public.
var openRoutes = []string{"GET /health", "GET /ready"}

// walks are what a row about routes needs.
var walks = []named{policyWalk, serviceWalk["orchestrator"], serviceWalk["poolmanager"]}

// A group is a part of a service's routes that has to be there.
type group struct {
	name, service string
	paths         []string // prefixes
}

var (
	nodeRoutes    = []group{{"nodes", "orchestrator", []string{"/v2/nodes"}}}
	dataRoutes    = []group{{"tasks", "orchestrator", []string{"/v2/tasks"}}, {"OpenAI's", "orchestrator", []string{"/v1/"}}}
	catalogRoutes = []group{
		{"catalog", "orchestrator", []string{"/v2/catalog/"}},
		{"artifacts", "orchestrator", []string{"/v2/artifacts"}},
		{"sessions", "orchestrator", []string{"/v2/sessions/"}},
		{"workers", "orchestrator", []string{"/v2/workers/"}},
	}
	poolRoutes = []group{{"pool manager", "poolmanager", []string{"/"}}}
)

// guarded looks at the routes of some groups.
func guarded(groups ...group) look {
	return func(in *inputs) (evidence, faults []string) {
		for _, g := range groups {
			found, wrong := in.walked(g.service, func(path string) bool { return hasPrefix(path, g.paths) })
			evidence, faults = g.report(found, wrong, evidence, faults)
		}
		return evidence, faults
	}
}

// guardedRest looks at the routes of the orchestrator that no other row has: a
// new route is in some row whatever it is called.
func guardedRest(in *inputs) (evidence, faults []string) {
	var taken []string
	for _, g := range slices.Concat(nodeRoutes, dataRoutes, catalogRoutes) {
		taken = append(taken, g.paths...)
	}
	g := group{name: "control plane and all others", service: "orchestrator"}
	found, wrong := in.walked(g.service, func(path string) bool { return !hasPrefix(path, taken) })
	return g.report(found, wrong, nil, nil)
}

func (g group) report(found, wrong, evidence, faults []string) (_, _ []string) {
	if len(found) == 0 {
		return evidence, append(faults, "no route of "+g.name+" was walked")
	}
	text := fmt.Sprintf("%s: %d routes of the %s's router, refused without a token by each shipped policy and by the service: %s",
		g.name, len(found), g.service, strings.Join(found, ", "))
	return append(evidence, text), append(faults, wrong...)
}

// walked lists the routes of a service that both walks were at, or should have
// been, and what is wrong with them.
func (in *inputs) walked(service string, wanted func(path string) bool) (found, wrong []string) {
	policies := in.results.below(policyWalk.pkg, policyWalk.test+"/"+service)
	served := serviceWalk[service]
	answers := in.results.below(served.pkg, served.test)
	for route := range policies {
		_, path, _ := strings.Cut(route, "_")
		if !wanted(path) {
			continue
		}
		name := strings.Replace(route, "_", " ", 1)
		if slices.Contains(openRoutes, name) {
			name += " (open by design)"
		}
		found = append(found, name)
		if !policies[route].ok() {
			wrong = append(wrong, route+" is not guarded by every shipped policy, see "+policyWalk.test)
		}
		if !answers[route].ok() {
			wrong = append(wrong, route+" was not refused by the "+service+" over TCP, see "+served.test)
		}
	}
	slices.Sort(found)
	slices.Sort(wrong)
	return found, wrong
}

func hasPrefix(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) })
}
