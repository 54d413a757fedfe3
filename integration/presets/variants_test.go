package presets_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// TestPathsAsWrittenAreServed: a path that a shipped policy names, as it is
// written there, is never refused as another spelling of a stricter rule's path.
func TestPathsAsWrittenAreServed(t *testing.T) {
	policies := map[string][]authmin.Rule{
		"Caddyfile.example": rulesOf(t, read(t, inRoot(t, "Caddyfile.example"))),
		"up":                upRules(t),
	}
	for _, name := range presetNames(t) {
		for _, snippet := range snippetsOf(t, name) {
			policies[snippet] = rulesOf(t, site(t, name, snippet, ""))
		}
	}
	for name, rules := range policies {
		for _, wrong := range misspelled(t, rules) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

func TestPathsAsWrittenCanFail(t *testing.T) {
	rules := []authmin.Rule{
		{Action: authmin.ActionDeny, Paths: []string{"/a/B/*"}},
		{Action: authmin.ActionPublic, Paths: []string{"/A/*", "/a/b/*", "/a/b/c"}},
	}
	if got := misspelled(t, rules); len(got) != 10 { // below /a/b/*, twice for each of five methods
		t.Errorf("got %d refusals, want 10: %q", len(got), got)
	}
}

// misspelled lists the paths of a policy that it refuses.
func misspelled(t *testing.T, rules []authmin.Rule) (wrong []string) {
	t.Helper()
	policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		methods := rule.Methods
		if len(methods) == 0 {
			methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete}
		}
		for _, pattern := range rule.Paths {
			paths := []string{pattern}
			if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
				paths = []string{prefix, prefix + "x"}
			}
			for _, path := range paths {
				for _, method := range methods {
					index, err := policy.Match(method, path)
					if err != nil {
						wrong = append(wrong, err.Error())
					}
					if stricter := policy.Stricter(method, path, index); stricter != authmin.NoRule {
						wrong = append(wrong, method+" "+path+" is taken for `"+policy.RuleText(stricter)+"`")
					}
				}
			}
		}
	}
	return wrong
}
