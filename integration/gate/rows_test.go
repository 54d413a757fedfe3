package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// TestEachTestOfARowCanMakeItRed breaks each test that each row names, in every
// way in which a test can be no evidence.
func TestEachTestOfARowCanMakeItRed(t *testing.T) {
	ways := map[string]func(*inputs, named){
		"did not run":  func(in *inputs, n named) { delete(in.results.tests, testID{n.pkg, n.test}) },
		"failed":       func(in *inputs, n named) { *in.results.tests[testID{n.pkg, n.test}] = outcome{ran: 1, failed: 1} },
		"was left out": func(in *inputs, n named) { *in.results.tests[testID{n.pkg, n.test}] = outcome{ran: 1, left: 1} },
		"did not end":  func(in *inputs, n named) { *in.results.tests[testID{n.pkg, n.test}] = outcome{ran: 1} },
		"failed once": func(in *inputs, n named) {
			*in.results.tests[testID{n.pkg, n.test}] = outcome{ran: 2, passed: 1, failed: 1}
		},
		"failed a case": func(in *inputs, n named) {
			in.results.tests[testID{n.pkg, n.test + "/case"}] = &outcome{ran: 1, failed: 1}
		},
		"skipped a case": func(in *inputs, n named) {
			in.results.tests[testID{n.pkg, n.test + "/case"}] = &outcome{ran: 1, left: 1}
		},
		"ran too few cases": func(in *inputs, n named) {
			for rest := range in.results.below(n.pkg, n.test) {
				delete(in.results.tests, testID{n.pkg, n.test + "/" + rest})
			}
		},
	}
	for _, r := range slices.Concat(criteria, blockers) {
		for _, n := range r.tests {
			for way, breakIt := range ways {
				if way == "ran too few cases" && n.least == 0 {
					continue
				}
				in := green(t)
				breakIt(in, n)
				v := judge(r, in)
				if v.Passed || !strings.Contains(strings.Join(v.Faults, "\n"), n.test+" in "+n.pkg) {
					t.Errorf("row %s: %s %s: passed %v with %q, want red by its name", r.id, n.test, way, v.Passed, v.Faults)
				}
			}
		}
	}
}

// TestEachLookOfARowCanMakeItRed breaks what the rows look at beside tests.
func TestEachLookOfARowCanMakeItRed(t *testing.T) {
	tree := func(in *inputs) fstest.MapFS { return in.tree.(fstest.MapFS) }
	policy := func(service, route string) testID {
		return testID{policyWalk.pkg, policyWalk.test + "/" + service + "/" + route}
	}
	timing := func(in *inputs, i int) *outcome {
		return in.results.tests[testID{timingTests[i].pkg, timingTests[i].test}]
	}
	unguarded := func(service, route string) func(*inputs) {
		return func(in *inputs) { in.results.tests[policy(service, route)] = &outcome{ran: 1, failed: 1} }
	}
	cases := map[string]struct {
		row    string
		damage func(*inputs)
	}{
		"a node route that a policy lets through": {"4", unguarded("orchestrator", "POST_/v2/nodes/register")},
		"a new node route":                        {"4", unguarded("orchestrator", "GET_/v2/nodes/{id}/secrets")},
		"no node route at all":                    {"4", func(in *inputs) { delete(in.results.tests, policy("orchestrator", "POST_/v2/nodes/register")) }},
		"a node route that was not asked for": {"4", func(in *inputs) {
			delete(in.results.tests, testID{"./orchestrator", "TestAuthIntegration/POST_/v2/nodes/register"})
		}},
		"a new route of the pool manager": {"5", unguarded("poolmanager", "GET_/new")},
		"a new route of the data plane":   {"7", unguarded("orchestrator", "GET_/v2/tasks/{id}/new")},
		"a new route of OpenAI's":         {"7", unguarded("orchestrator", "POST_/v1/responses")},
		"a new route of no group":         {"8", unguarded("orchestrator", "GET_/v3/new")},
		"a new route of all methods":      {"8", unguarded("orchestrator", "_/v3/")},
		"a new route of the catalog":      {"9", unguarded("orchestrator", "GET_/v2/catalog/new")},
		"no route for workers":            {"9", func(in *inputs) { delete(in.results.tests, policy("orchestrator", "POST_/v2/workers/register")) }},
		"a timing test without a control": {"10", func(in *inputs) { delete(timing(in, 0).attrs, "control") }},
		"a control that was not caught":   {"10", func(in *inputs) { timing(in, 3).attrs["control"] = []string{"not noticed"} }},
		"a timing test without a bound":   {"10", func(in *inputs) { delete(timing(in, 2).attrs, "bound") }},
		"a bound of a third":              {"10", func(in *inputs) { timing(in, 2).attrs["bound"] = []string{"0.3"} }},
		"a bound that is no number":       {"10", func(in *inputs) { timing(in, 1).attrs["bound"] = []string{"large"} }},
		"registration is not measured":    {"P0.1", func(in *inputs) { timing(in, 1).attrs = nil }},
		"a scenario that did not run":     {"12", func(in *inputs) { delete(in.results.tests, testID{featureTest.pkg, featureTest.test + "/scenario_3"}) }},
		"a scenario more than ran": {"12", func(in *inputs) {
			tree(in)[featureFolder+"/b/b.feature"] = &fstest.MapFile{Data: []byte("Scenario: more\n")}
		}},
		"no scenarios":                {"12", func(in *inputs) { delete(tree(in), featureFolder+"/a.feature") }},
		"no token guide":              {"13", func(in *inputs) { delete(tree(in), "deploy/docs/tokens.md") }},
		"a runbook that is a stub":    {"13", func(in *inputs) { tree(in)["deploy/docs/incidents.md"].Data = []byte("# Incident runbooks\nleaked\n") }},
		"no runbook for certificates": {"13", func(in *inputs) { cut(tree(in), "deploy/docs/incidents.md", "certificate") }},
		"no checklist":                {"13", func(in *inputs) { delete(tree(in), "deploy/docs/checklist.md") }},
		"no threat model":             {"13", func(in *inputs) { cut(tree(in), "deploy/docs/threats.md", "# Threat model") }},
		"a runbook whose commands did not run": {"13", func(in *inputs) {
			delete(in.results.tests, testID{commandTest.pkg, commandTest.test + "/incidents.md"})
		}},
		"a new guide that no test runs": {"13", func(in *inputs) {
			tree(in)["deploy/docs/a-guide.md"] = tree(in)["deploy/docs/tokens.md"]
		}},
		"no security in the README":        {"13", func(in *inputs) { cut(tree(in), "README.md", "## Security") }},
		"a step that did not run":          {"15", func(in *inputs) { delete(in.results.steps, "vet") }},
		"a step that did not end":          {"15", func(in *inputs) { in.results.steps["format"].ended = false }},
		"a step that failed":               {"15", func(in *inputs) { in.results.steps["staticcheck"].passed = false }},
		"a race in one package":            {"15", func(in *inputs) { in.results.steps["race"].packages["./orchestrator"] = false }},
		"a tree without the race detector": {"15", func(in *inputs) { delete(in.results.steps["race"].packages, "./authmin") }},
		"results of other files":           {"1", func(in *inputs) { in.results.trees = append(in.results.trees, "other") }},
		"results of files unknown":         {"2", func(in *inputs) { in.results.trees = nil }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := green(t)
			c.damage(in)
			rep := judgeAll(criteria, blockers, in)
			for _, v := range slices.Concat(rep.Criteria, rep.P0) {
				if v.ID == c.row && (v.Passed || rep.Passed) {
					t.Errorf("row %s passed %v, the gate %v, want neither", v.ID, v.Passed, rep.Passed)
				}
			}
		})
	}
	covered := map[string]bool{}
	for _, c := range cases {
		covered[c.row] = true
	}
	for _, r := range criteria {
		if len(r.looks)+len(r.steps) > 0 && !covered[r.id] {
			t.Errorf("row %s looks at something that no case breaks", r.id)
		}
	}
}

func cut(tree fstest.MapFS, file, text string) {
	tree[file].Data = []byte(strings.ReplaceAll(string(tree[file].Data), text, ""))
}

func TestARowWithoutChecksIsRed(t *testing.T) {
	if v := judge(row{id: "0", title: "nothing"}, green(t)); v.Passed {
		t.Error("a row without a test, a step or a look is green")
	}
	if rep := judgeAll(nil, nil, green(t)); rep.Passed {
		t.Error("a gate without a row is green")
	}
}

// TestEveryNamedTestExists: a test that is renamed is missed here at once, and not
// only when the gate runs.
func TestEveryNamedTestExists(t *testing.T) {
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for _, r := range slices.Concat(criteria, blockers) {
		for _, n := range slices.Concat(r.tests, r.needs) {
			if known[n.pkg] == nil {
				known[n.pkg] = testsOf(t, filepath.Join(root, n.pkg))
			}
			if !slices.Contains(known[n.pkg], topTest(n.test)) {
				t.Errorf("row %s: %s has no test %s", r.id, n.pkg, topTest(n.test))
			}
		}
	}
}

func testsOf(t *testing.T, folder string) (names []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}
