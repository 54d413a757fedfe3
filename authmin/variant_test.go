package authmin

import (
	"slices"
	"strings"
	"testing"
)

func policyOf(t testing.TB, rules ...Rule) *Policy {
	t.Helper()
	p, err := NewPolicy(PolicyOptions{Rules: rules, AllowEncodedSlash: []string{"/*"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func public(paths ...string) Rule { return Rule{Action: ActionPublic, Paths: paths} }
func deny(paths ...string) Rule   { return Rule{Action: ActionDeny, Paths: paths} }
func require(scopes string, paths ...string) Rule {
	rule := Rule{Action: ActionRequire, Paths: paths}
	for scope := range strings.SplitSeq(scopes, ",") {
		rule.Scopes = append(rule.Scopes, Scope(scope))
	}
	return rule
}

// A path that the second rule decides is held against the first.
func TestStricter(t *testing.T) {
	get := func(r Rule) Rule { r.Methods = []string{"GET"}; return r }
	cases := map[string]struct {
		first, second Rule
		path          string
		want          bool
	}{
		"upper case":                          {require("infer", "/ollama/*"), public("/*"), "/Ollama/api/pull", true},
		"all upper case":                      {require("infer", "/ollama/*"), public("/*"), "/OLLAMA/API/PULL", true},
		"a rule in upper case":                {require("infer", "/Ollama/*"), public("/*"), "/ollama/x", true},
		"a dotted capital I":                  {require("infer", "/api/*"), public("/*"), "/ap\u0130/pull", true},
		"a dotless i":                         {require("infer", "/api/*"), public("/*"), "/ap\u0131/pull", true},
		"the Kelvin sign":                     {require("infer", "/keys/*"), public("/*"), "/\u212aeys/x", true},
		"a long s":                            {require("infer", "/secret"), public("/*"), "/\u017fecret", true},
		"fullwidth letters":                   {require("infer", "/admin"), public("/*"), "/\uff41dmin", true},
		"a ligature":                          {require("infer", "/office"), public("/*"), "/o\ufb03ce", true},
		"ss for a sharp s":                    {require("infer", "/stra\u00dfe"), public("/*"), "/strasse", true},
		"a sharp s for ss":                    {require("infer", "/pass"), public("/*"), "/pa\u00df", true},
		"a capital sharp s":                   {require("infer", "/pass"), public("/*"), "/pa\u1e9e", true},
		"a final sigma":                       {require("infer", "/\u03c3"), public("/*"), "/\u03c2", true},
		"decomposed":                          {require("infer", "/caf\u00e9"), public("/*"), "/cafe\u0301", true},
		"Hangul, decomposed":                  {require("infer", "/\ud55c\uae00"), public("/*"), "/\u1112\u1161\u11ab\u1100\u1173\u11af", true},
		"a slash at the end":                  {require("admin", "/v2/nodes"), require("infer", "/*"), "/v2/nodes/", true},
		"a slash less at the end":             {require("admin", "/v2/nodes/"), require("infer", "/*"), "/v2/nodes", true},
		"case and a slash":                    {require("admin", "/v2/nodes"), require("infer", "/*"), "/V2/Nodes/", true},
		"the prefix itself":                   {require("admin", "/a/*"), public("/*"), "/a", true},
		"the prefix itself in upper case":     {require("admin", "/a/*"), public("/*"), "/A", true},
		"below an exact path":                 {require("admin", "/v2/nodes"), require("infer", "/*"), "/V2/Nodes/x", false},
		"beside the prefix":                   {require("admin", "/a/*"), public("/*"), "/Ab/c", false},
		"another path":                        {require("admin", "/a/*"), public("/*"), "/b/c", false},
		"named exactly":                       {require("admin", "/a/*"), public("/A", "/*"), "/A", false},
		"named exactly, in another case":      {require("admin", "/a/*"), public("/A", "/*"), "/A/", true},
		"named, but not byte for byte":        {require("admin", "/a/b"), public("/A/b", "/*"), "/a/B", true},
		"the root":                            {deny("/a/*"), public("/*"), "/", false},
		"an encoded slash, opaque":            {require("admin", "/a/*"), public("/*"), "/A/x%2Fy", true},
		"an encoded slash, read as one":       {require("admin", "/a/b/*"), public("/*"), "/A%2FB/x", true},
		"deny before require":                 {deny("/a"), require("admin", "/*"), "/A", true},
		"deny before deny":                    {deny("/a"), deny("/*"), "/A", false},
		"require before deny":                 {require("infer", "/a"), deny("/*"), "/A", false},
		"public before require":               {public("/a"), require("infer", "/*"), "/A", false},
		"public before public":                {public("/a"), public("/*"), "/A", false},
		"the same scope":                      {require("infer", "/a"), require("infer", "/*"), "/A", false},
		"more scopes before":                  {require("infer,nodes", "/a"), require("infer", "/*"), "/A", false},
		"fewer scopes before":                 {require("infer", "/a"), require("infer,nodes", "/*"), "/A", true},
		"admin passes a rule of another":      {require("infer", "/a"), require("admin", "/*"), "/A", false},
		"admin beside one that does not pass": {require("infer", "/a"), require("admin,nodes", "/*"), "/A", true},
		"for another method":                  {Rule{Action: ActionDeny, Methods: []string{"POST"}, Paths: []string{"/a"}}, public("/*"), "/A", false},
		"for this method among others":        {get(deny("/a")), public("/*"), "/A", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := policyOf(t, c.first, c.second)
			rule, err := p.Match("GET", c.path)
			if err != nil || rule != 1 {
				t.Fatalf("%s is decided by rule %d, %v, want 1", c.path, rule, err)
			}
			if got := p.Stricter("GET", c.path, rule) == 0; got != c.want {
				t.Errorf("%s: got %v, want %v", c.path, got, c.want)
			}
		})
	}
}

func TestStricterWhereAdminIsPlain(t *testing.T) {
	rules := []Rule{require("infer", "/a"), require("admin", "/*")}
	p, err := NewPolicy(PolicyOptions{Rules: rules, PlainAdmin: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Stricter("GET", "/A", 1); got != 0 {
		t.Errorf("got rule %d, want 0: a holder of admin alone may not call /a", got)
	}
}

func TestNoRuleHasNoStricterRule(t *testing.T) {
	if got := policyOf(t, deny("/a")).Stricter("GET", "/A", NoRule); got != NoRule {
		t.Errorf("got rule %d, want none", got)
	}
}

func TestVariantsOfAStricterRuleAreRefused(t *testing.T) {
	g := guardOf(t, fourKinds(t))
	g.Policy = policyOf(t, require("infer", "/ollama/*"), deny("/v2/nodes"), require("metrics", "/v2/*"), public("/*"))
	cases := map[string]struct {
		request *Request
		reason  Reason
		problem *Problem
	}{
		"public, without a token":           {request("POST", "/Ollama/api/pull"), ReasonPath, &ProblemVariant},
		"public, with a token for the rule": {request("POST", "/Ollama/api/pull", bearer("ci")), ReasonPath, &ProblemVariant},
		"public, an escape":                 {request("POST", "/oll%41ma/api/pull"), ReasonPath, &ProblemVariant},
		"public, no variant":                {request("POST", "/other"), ReasonNone, nil},
		"no token comes first":              {request("GET", "/v2/nodes/"), ReasonMissing, &ProblemMissingToken},
		"an invalid token comes first":      {request("GET", "/v2/nodes/", bearer("x")), ReasonUnknown, &ProblemBadToken},
		"the scope comes last":              {request("GET", "/v2/nodes/", bearer("ci")), ReasonPath, &ProblemVariant},
		"scope admin is refused, too":       {request("GET", "/v2/Nodes", bearer("ops")), ReasonPath, &ProblemVariant},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := g.Decide(c.request, noon)
			if d.Allow != (c.reason == ReasonNone) || d.Reason != c.reason || d.Problem != c.problem {
				t.Errorf("got allow %v, reason %q, problem %v, want reason %q", d.Allow, d.Reason, d.Problem, c.reason)
			}
			if !d.Allow && d.Public {
				t.Error("what is refused counts as public")
			}
		})
	}
}

func TestTheBypassIsBoundByStricterRules(t *testing.T) {
	g := guardOf(t, fourKinds(t))
	g.Policy, g.Optional = policyOf(t, deny("/pools"), require("infer", "/*")), true
	r := localRequest()
	r.Target = "/Pools"
	if d := g.Decide(r, noon); d.Allow || d.Problem != &ProblemVariant {
		t.Errorf("got allow %v, %v, want a refusal as a variant", d.Allow, d.Problem)
	}
	r.Target = "/other"
	if d := g.Decide(r, noon); !d.Allow {
		t.Errorf("the bypass does not work here at all: %s", d.Reason)
	}
}

func TestCharactersThatBecomeDelimiters(t *testing.T) {
	for name, character := range map[string]string{
		"a fullwidth slash": "\uff0f", "a one dot leader": "\u2024", "an ellipsis": "\u2026", "a fullwidth percent sign": "\uff05",
		"a Greek question mark": "\u037e", "a fullwidth backslash": "\uff3c", "account of": "\u2100", "digit one full stop": "\u2488",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := CheckTarget("/a" + escape(character) + "b"); err == nil {
				t.Errorf("%q is served", character)
			}
			if _, err := NewPolicy(PolicyOptions{Rules: []Rule{public("/a" + character)}}); err == nil {
				t.Errorf("a rule with %q is taken", character)
			}
		})
	}
	if path, err := CheckTarget("/caf" + escape("\u00e9\uff41")); err != nil {
		t.Errorf("%q: %v", path, err)
	}
}

// escape is the percent-encoding of every byte.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte('%')
		b.WriteString(strings.ToUpper(string("0123456789abcdef"[text[i]>>4]) + string("0123456789abcdef"[text[i]&15])))
	}
	return b.String()
}

func TestPathKeyKeepsSegments(t *testing.T) {
	for _, path := range []string{"/a/\u0338b", "/\u0301", "/a\u0300/\u0323\u0300"} {
		key, ok := PathKey(path)
		if !ok || strings.Count(key, "/") != strings.Count(path, "/") {
			t.Errorf("%q has the key %q, %v: a segment was lost", path, key, ok)
		}
	}
	if slices.ContainsFunc([]rune(compositionTable), func(r rune) bool { return r == '/' }) {
		t.Error("a slash composes with something: prefixes of keys are no prefixes of paths any more")
	}
}
