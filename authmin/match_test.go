package authmin

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shipped is a policy of the shape that the project ships.
func shipped(t testing.TB) *Policy {
	t.Helper()
	p, err := NewPolicy(PolicyOptions{
		Rules: []Rule{
			{Action: ActionPublic, Methods: []string{"GET", "HEAD"}, Paths: []string{"/health", "/public/*"}},
			{Action: ActionRequire, Scopes: []Scope{ScopeMetrics}, Methods: []string{"GET"}, Paths: []string{"/metrics"}},
			{Action: ActionDeny, Paths: []string{"/v1/models/private/*"}},
			{Action: ActionRequire, Scopes: []Scope{ScopeInfer}, Paths: []string{"/v1/*"}},
			{Action: ActionRequire, Scopes: []Scope{ScopeNodes, ScopeDispatch}, Paths: []string{"/v2/nodes", "/v2/nodes/*"}},
			{Action: ActionPublic, Paths: []string{"/v1/never"}}, // the fourth decides
		},
		AllowEncodedSlash: []string{"/v1/models/*", "/v2/nodes"},
		AllowTrailers:     []string{"/v1/upload/*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatch(t *testing.T) {
	p := shipped(t)
	cases := map[string]struct {
		method, path string
		want         int
	}{
		"an exact path":                         {"GET", "/health", 0},
		"another method of the rule":            {"HEAD", "/health", 0},
		"a method that the rule does not have":  {"POST", "/health", NoRule},
		"a method in lower case":                {"get", "/health", NoRule},
		"no method":                             {"", "/health", NoRule},
		"a slash behind an exact path":          {"GET", "/health/", NoRule},
		"a letter behind an exact path":         {"GET", "/healthz", NoRule},
		"a beginning of an exact path":          {"GET", "/healt", NoRule},
		"an exact path in upper case":           {"GET", "/HEALTH", NoRule},
		"below an exact path":                   {"GET", "/health/x", NoRule},
		"below a prefix":                        {"GET", "/public/a/b.txt", 0},
		"the prefix with its slash":             {"GET", "/public/", 0},
		"the prefix without its slash":          {"GET", "/public", NoRule},
		"no segment boundary":                   {"GET", "/publicx/secret", NoRule},
		"the prefix further down":               {"GET", "/x/public/a", NoRule},
		"the first of two rules":                {"POST", "/v1/models/private/x", 2},
		"the second of two rules":               {"POST", "/v1/models/privately", 3},
		"a public rule behind a stricter one":   {"GET", "/v1/never", 3},
		"the second path of a rule":             {"PUT", "/v2/nodes/n1/heartbeat", 4},
		"a path of no rule":                     {"GET", "/admin/pools", NoRule},
		"the root":                              {"GET", "/", NoRule},
		"an asterisk is a character of a path":  {"GET", "/public*", NoRule},
		"an asterisk is not a pattern in paths": {"GET", "/*", NoRule},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := p.Match(c.method, c.path); err != nil || got != c.want {
				t.Errorf("got %d, %v, want %d", got, err, c.want)
			}
		})
	}
}

// TestARuleWithoutMethodsIsOneForAll: net/http answers HEAD like GET, and a page asks with
// OPTIONS, so a rule that left one out would let it through to the next.
func TestARuleWithoutMethodsIsOneForAll(t *testing.T) {
	p := shipped(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X"} {
		for path, want := range map[string]int{"/v1/models/private/x": 2, "/v1/tasks": 3, "/v2/nodes": 4} {
			if got, err := p.Match(method, path); err != nil || got != want {
				t.Errorf("%s %s: rule %d, %v, want %d", method, path, got, err, want)
			}
		}
	}
}

func TestMatchOfAnEncodedSlash(t *testing.T) {
	p := shipped(t)
	cases := map[string]struct {
		path string
		ok   bool
	}{
		"where it is allowed":                      {"/v1/models/meta%2Fllama", true},
		"twice where it is allowed":                {"/v1/models/a%2Fb%2Fc", true},
		"where it is not":                          {"/v1/chat%2Fx", false},
		"where no rule is":                         {"/admin%2Fpools", false},
		"on a public path":                         {"/public/a%2Fb", false},
		"in place of a prefix's slash":             {"/v1%2Fmodels/x", false},
		"in place of the slash that allows it":     {"/v1/models%2Fx", false},
		"read as a slash, it meets a deny":         {"/v1/models/private%2Fx", false},
		"in front of what a deny is for":           {"/v1/models/x%2Fprivate/y", true},
		"behind an exact path that allows slashes": {"/v2/nodes%2Fn1", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rule, err := p.Match("POST", c.path)
			if (err == nil) != c.ok {
				t.Errorf("got rule %d, %v, want ok %v", rule, err, c.ok)
			}
			if err != nil && rule != NoRule {
				t.Errorf("a refused path has rule %d", rule)
			}
		})
	}
}

func TestZeroPolicyRefusesEverything(t *testing.T) {
	var p Policy
	if rule, err := p.Match("GET", "/health"); err != nil || rule != NoRule {
		t.Errorf("got %d, %v, want no rule", rule, err)
	}
	if _, err := p.Match("GET", "/a%2Fb"); err == nil {
		t.Error("an encoded slash passes")
	}
	if p.AllowsTrailers("/") {
		t.Error("trailers pass")
	}
}

func TestAllowsTrailers(t *testing.T) {
	p := shipped(t)
	for path, want := range map[string]bool{"/v1/upload/x": true, "/v1/upload": false, "/v1/uploads/x": false, "/": false} {
		if got := p.AllowsTrailers(path); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

// The first rule that matches decides, and a policy says the same of a path
// whether its encoded slashes are read as slashes or not, or refuses it.
func TestMatchProperties(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "ab"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		path := "/" + strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(t, "segments"), "/")
		return path + rapid.SampledFrom([]string{"", "/*", "/"}).Draw(t, "end")
	})
	rapid.Check(t, func(rt *rapid.T) {
		var rules []Rule
		for range rapid.IntRange(0, 5).Draw(rt, "rules") {
			rules = append(rules, Rule{Action: ActionDeny, Paths: []string{pattern.Draw(rt, "pattern")}})
		}
		p, err := NewPolicy(PolicyOptions{Rules: rules, AllowEncodedSlash: []string{"/*"}})
		if err != nil {
			rt.Fatal(err)
		}
		path := "/" + strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(rt, "path"), rapid.SampledFrom([]string{"/", encodedSlash}).Draw(rt, "slash"))
		got, err := p.Match("GET", path)
		plain := strings.ReplaceAll(path, encodedSlash, "/")
		want := NoRule
		for i := len(rules) - 1; i >= 0; i-- {
			below, isPrefix := strings.CutSuffix(rules[i].Paths[0], "/*")
			if !isPrefix && plain == rules[i].Paths[0] || isPrefix && strings.HasPrefix(plain, below+"/") {
				want = i
			}
		}
		if err == nil && got != want {
			rt.Fatalf("%s with %v: got %d, want %d", path, rules, got, want)
		}
		if err != nil && path == plain {
			rt.Fatalf("%s: refused: %v", path, err)
		}
	})
}
