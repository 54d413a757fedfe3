package presets_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// openRoutes are the only routes that need no credential.
var openRoutes = []string{"GET /health", "GET /ready"}

// A policy is a shipped file's rules, ready to be asked.
type policy struct {
	file  string
	judge *judge
}

// shipped are the policies that guard a server of ours.
func shipped(t *testing.T, service string) []policy {
	t.Helper()
	preset := "deploy/presets/" + service + ".caddyfile"
	var all []policy
	for file, rules := range map[string][]authmin.Rule{
		"Caddyfile.example": rulesOf(t, read(t, inRoot(t, "Caddyfile.example"))),
		"llorch up":         upRules(t),
		preset:              rulesOf(t, site(t, service, "authmin-"+service, "")),
	} {
		j, err := newJudge(rules)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, policy{file, j})
	}
	return all
}

// TestEveryRouteIsGuarded walks what the routers of our servers serve, each route
// a subtest of its own, which integration/gate reads: no policy that we ship lets
// it through without a token, or with another scope than the declared one.
func TestEveryRouteIsGuarded(t *testing.T) {
	for service, routes := range ours(t) {
		policies := shipped(t, service)
		for _, r := range routes {
			t.Run(service+"/"+r.Method+" "+r.Path, func(t *testing.T) {
				for _, wrong := range unguarded(r, policies) {
					t.Error(wrong)
				}
			})
		}
	}
}

// unguarded tells what is wrong with a route.
func unguarded(r route, policies []policy) []string {
	name := r.Method + " " + r.Path
	if r.Class == "" {
		return []string{name + " is served and declares no scope"}
	}
	if r.Class == public && !slices.Contains(openRoutes, name) {
		return []string{name + " is public"}
	}
	want := r.Class
	if other, ok := coarser[name]; ok {
		want = other
	}
	var wrong []string
	for _, p := range policies {
		for _, w := range p.judge.classify(r.Method, r.example(), want) {
			wrong = append(wrong, fmt.Sprintf("%s: %s", p.file, w))
		}
	}
	return wrong
}

// TestANewRouteIsSeen: a route that is added to the code alone is reported.
func TestANewRouteIsSeen(t *testing.T) {
	policies := shipped(t, "orchestrator")
	cases := map[string]struct {
		route route
		ok    bool
	}{
		"a listed one":                    {route{"POST", "/v2/nodes/register", "nodes"}, true},
		"the health check":                {route{"GET", "/health", public}, true},
		"registered without a scope":      {route{"GET", "/v2/nodes", ""}, false},
		"public by declaration":           {route{"GET", "/v2/tasks", public}, false},
		"of no policy":                    {route{"GET", "/v3/new-route", "infer"}, false},
		"of no policy, for admin alone":   {route{"GET", "/v3/new-route", "admin"}, false},
		"below a rule of another scope":   {route{"POST", "/v2/tasks/{id}/new-route", "admin"}, false},
		"every method":                    {route{"", "/v2/nodes", ""}, false},
		"another method than the rule's":  {route{"DELETE", "/metrics", "metrics"}, false},
		"another scope than the policy's": {route{"GET", "/v2/nodes", "infer"}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			wrong := unguarded(c.route, policies)
			if ok := len(wrong) == 0; ok != c.ok {
				t.Errorf("wrong = %q, want ok = %v", wrong, c.ok)
			}
		})
	}
}
