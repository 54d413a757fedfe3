package authmin

import (
	"strings"
	"testing"
)

func TestNewPolicyRefuses(t *testing.T) {
	rule := func(paths ...string) []Rule {
		return []Rule{{Action: ActionRequire, Scopes: []Scope{ScopeInfer}, Paths: paths}}
	}
	method := func(method string) []Rule {
		return []Rule{{Action: ActionDeny, Methods: []string{method}, Paths: []string{"/"}}}
	}
	many := make([]string, MaxPaths+1)
	for i := range many {
		many[i] = "/x"
	}
	cases := map[string]PolicyOptions{
		"a rule without a path":                {Rules: rule()},
		"a require without a scope":            {Rules: []Rule{{Action: ActionRequire, Paths: []string{"/"}}}},
		"too many rules":                       {Rules: make([]Rule, MaxRules+1)},
		"too many paths":                       {Rules: rule(many...)},
		"too many slash paths":                 {AllowEncodedSlash: many},
		"too many trailer paths":               {AllowTrailers: many},
		"a method in lower case":               {Rules: method("get")},
		"a method with a space":                {Rules: method("GET ")},
		"a method of every kind":               {Rules: method("*")},
		"two methods in one":                   {Rules: method("GET,POST")},
		"an empty method":                      {Rules: method("")},
		"a method of 33 letters":               {Rules: method(strings.Repeat("A", 33))},
		"an empty path":                        {Rules: rule("")},
		"a path without a slash":               {Rules: rule("v1")},
		"an asterisk":                          {Rules: rule("*")},
		"an asterisk without a slash":          {Rules: rule("/v1*")},
		"an asterisk in the middle":            {Rules: rule("/v1/*/x")},
		"two asterisks":                        {Rules: rule("/v1/**")},
		"an asterisk twice":                    {Rules: rule("/v1/*/*")},
		"a dot segment":                        {Rules: rule("/v1/./x")},
		"two dots":                             {Rules: rule("/v1/../x")},
		"two dots before the asterisk":         {Rules: rule("/v1/../*")},
		"an empty segment":                     {Rules: rule("/v1//x")},
		"an empty segment before the asterisk": {Rules: rule("/v1//*")},
		"nothing before the asterisk":          {Rules: rule("//*")},
		"an escape":                            {Rules: rule("/v1/%20")},
		"an encoded slash":                     {Rules: rule("/v1/a%2Fb")},
		"a query":                              {Rules: rule("/v1?x")},
		"a fragment":                           {Rules: rule("/v1#x")},
		"a placeholder":                        {Rules: rule("/{env.X}")},
		"a backslash":                          {Rules: rule(`/v1\x`)},
		"a parameter":                          {Rules: rule("/v1;x")},
		"a control character":                  {Rules: rule("/v1\x01")},
		"bytes that are not UTF-8":             {Rules: rule("/v1\xff")},
		"a bad path behind a good one":         {Rules: rule("/v1", "v2")},
		"a bad slash path":                     {AllowEncodedSlash: []string{"v1"}},
		"a bad trailer path":                   {AllowTrailers: []string{"/v1*"}},
	}
	for name, options := range cases {
		t.Run(name, func(t *testing.T) {
			if p, err := NewPolicy(options); err == nil || p != nil {
				t.Errorf("accepted: %v", p)
			}
		})
	}
}

func TestNewPolicyDoesNotShareItsInput(t *testing.T) {
	rules := []Rule{{Action: ActionDeny, Paths: []string{"/a"}}}
	slashes := []string{"/s/*"}
	p, err := NewPolicy(PolicyOptions{Rules: rules, AllowEncodedSlash: slashes})
	if err != nil {
		t.Fatal(err)
	}
	rules[0], slashes[0] = Rule{Action: ActionPublic, Paths: []string{"/*"}}, "/*"
	if got := p.RuleText(0); got != "deny /a" || p.Rule(0).Action != ActionDeny {
		t.Errorf("the first rule became %q", got)
	}
	if _, err := p.Match("GET", "/x/a%2Fb"); err == nil {
		t.Error("the allowed encoded slashes changed")
	}
}

func TestRuleText(t *testing.T) {
	cases := map[string]Rule{
		"deny /a":                                    {Paths: []string{"/a"}},
		"deny GET /a /b/*":                           {Methods: []string{"GET"}, Paths: []string{"/a", "/b/*"}},
		"public GET,HEAD /health":                    {Action: ActionPublic, Methods: []string{"GET", "HEAD"}, Paths: []string{"/health"}},
		"require infer,nodes M-SEARCH /v1/*":         {Action: ActionRequire, Scopes: []Scope{ScopeInfer, ScopeNodes}, Methods: []string{"M-SEARCH"}, Paths: []string{"/v1/*"}},
		"require metrics /metrics /metrics/cadvisor": {Action: ActionRequire, Scopes: []Scope{ScopeMetrics}, Paths: []string{"/metrics", "/metrics/cadvisor"}},
	}
	for want, rule := range cases {
		p, err := NewPolicy(PolicyOptions{Rules: []Rule{rule}})
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if got := p.RuleText(0); got != want || p.Rules() != 1 {
			t.Errorf("got %q, want %q", got, want)
		}
		if p.RuleText(NoRule) != "default deny" || p.Rule(NoRule).Action != ActionDeny {
			t.Error("what no rule matches is not denied")
		}
	}
}
