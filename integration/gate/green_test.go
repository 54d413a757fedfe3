package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const someHash = "0123456789abcdef"

// someRoutes are of each group, by service, as the walks name them.
var someRoutes = map[string][]string{
	"orchestrator": {
		"GET_/health", "POST_/v2/tasks", "GET_/v1/models", "POST_/v2/nodes/register", "GET_/v2/catalog/models",
		"POST_/v2/artifacts", "GET_/v2/sessions/{id}", "POST_/v2/workers/register", "POST_/control/pools/{id}/drain",
	},
	"poolmanager": {"GET_/health", "POST_/pools/{id}/dispatch"},
}

// green are inputs in which nothing is wrong. Each call makes new ones, to break.
func green(t *testing.T) *inputs {
	t.Helper()
	in := &inputs{tree: greenTree(), hash: someHash, results: newResults()}
	in.results.trees = []string{someHash}
	for _, r := range slices.Concat(criteria, blockers) {
		for _, n := range slices.Concat(r.tests, r.needs) {
			in.pass(n.pkg, n.test)
			for i := range n.least {
				in.pass(n.pkg, fmt.Sprintf("%s/case_%d", n.test, i))
			}
		}
	}
	for service, routes := range someRoutes {
		for _, route := range routes {
			in.pass(policyWalk.pkg, policyWalk.test+"/"+service+"/"+route)
			in.pass(serviceWalk[service].pkg, serviceWalk[service].test+"/"+route)
		}
	}
	for _, n := range timingTests {
		in.pass(n.pkg, n.test)
		in.attr(n.pkg, n.test, "control", "caught: t = 20")
		in.attr(n.pkg, n.test, "bound", "0.1")
	}
	for name := range greenTree() {
		in.pass(commandTest.pkg, commandTest.test+"/"+path.Base(name))
	}
	for i := range leastScenarios {
		in.pass(featureTest.pkg, fmt.Sprintf("%s/scenario_%d", featureTest.test, i))
	}
	for _, s := range loopSteps {
		in.results.add(event{Action: actionBegin, Step: s})
		if s == "race" {
			for _, tree := range racedTrees {
				in.results.add(event{Action: "pass", Package: modulePath + "/" + tree})
			}
		}
		in.results.add(event{Action: actionEnd, Step: s, Value: "pass"})
	}
	return in
}

func greenTree() fstest.MapFS {
	long := strings.Repeat("Long enough not to be a stub. ", leastDocument/20)
	doc := func(title, text string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("# " + title + "\n\n" + long + "\n" + text + "\n\n```sh\nllorch version\n```\n")}
	}
	return fstest.MapFS{
		"README.md":                doc("A gateway", "## Security\n\n"+long+"It refuses to start. Tokens. The loopback bypass.\n\n## More"),
		"deploy/docs/tokens.md":    doc("Tokens", "token new, rotation, revocation, systemd, Kubernetes, a bind mount, LLORCH_API_TOKEN_FILE"),
		"deploy/docs/checklist.md": doc("Deployment checklist", ""),
		"deploy/docs/incidents.md": doc("Incident runbooks", "leaked, brute force, tampered, exposed, hostile, lost, certificate"),
		"deploy/docs/threats.md":   doc("Threat model", "What remains."),
		featureFolder + "/a.feature": {Data: []byte("Feature: all\n\n" +
			strings.Repeat("  Scenario: one\n    When I look\n\n", leastScenarios-2) +
			"  Scenario Outline: two\n    When I <do>\n\n    Examples:\n      | do |\n      | a |\n      | b |\n")},
	}
}

func (in *inputs) pass(pkg, test string) {
	in.results.tests[testID{pkg, test}] = &outcome{ran: 1, passed: 1, attrs: map[string][]string{}}
}

func (in *inputs) attr(pkg, test, key, value string) {
	o := in.results.tests[testID{pkg, test}]
	o.attrs[key] = append(o.attrs[key], value)
}

func TestAllRowsAreGreenWhenNothingIsWrong(t *testing.T) {
	rep := judgeAll(criteria, blockers, green(t))
	for _, v := range slices.Concat(rep.Criteria, rep.P0) {
		if !v.Passed {
			t.Errorf("row %s: %q", v.ID, v.Faults)
		}
		if len(v.Evidence) == 0 || !strings.HasSuffix(v.Command, " --row "+v.ID) {
			t.Errorf("row %s: evidence %q, command %q", v.ID, v.Evidence, v.Command)
		}
	}
	if !rep.Passed || len(rep.Criteria) != 15 || len(rep.P0) != 5 {
		t.Errorf("passed %v with %d criteria and %d P0 rows, want true, 15 and 5", rep.Passed, len(rep.Criteria), len(rep.P0))
	}
}
