package presets_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// A class is the access to a route: public, denied, or the scopes any of which is
// enough. Scope admin is enough for every route that is not denied.
type class string

const (
	public class = "public"
	denied class = "denied"
)

func (c class) opensTo(scope authmin.Scope) bool {
	switch c {
	case public:
		return true
	case denied:
		return false
	}
	return scope == authmin.ScopeAdmin || slices.Contains(strings.Split(string(c), ","), string(scope))
}

// A judge asks a policy by the front door: with a request, with or without a
// token, and not by looking for a rule.
type judge struct{ guard authmin.Decider }

func newJudge(rules []authmin.Rule, slashes ...string) (*judge, error) {
	policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: rules, AllowEncodedSlash: slashes})
	if err != nil {
		return nil, err
	}
	var tokens []authmin.Token
	for _, scope := range authmin.AllScopes() {
		tokens = append(tokens, authmin.NewToken("t-"+string(scope), authmin.NewSecret(tokenOf(scope)), scope))
	}
	keyring, err := authmin.NewKeyring(tokens)
	if err != nil {
		return nil, err
	}
	return &judge{authmin.Decider{Policy: policy, Keyring: func() *authmin.Keyring { return keyring }}}, nil
}

func tokenOf(scope authmin.Scope) string { return strings.Repeat(string(scope)+"-", 12) }

// ask returns 200, or the status of the refusal. No scope is no token.
func (j *judge) ask(method, path string, scope authmin.Scope) int {
	header := http.Header{}
	if scope != "" {
		header.Set("Authorization", "Bearer "+tokenOf(scope))
	}
	d := j.guard.Decide(&authmin.Request{
		Method: method, Target: path, Host: "gateway.example.com", Header: header,
		Peer: netip.MustParseAddr("192.0.2.7"),
	}, time.Now())
	if d.Allow {
		return http.StatusOK
	}
	return d.Problem.Status
}

// classify holds a route to its class, for no token and for a token of each
// scope, and tells what is wrong.
func (j *judge) classify(method, path string, want class) []string {
	var wrong []string
	for _, scope := range append([]authmin.Scope{""}, authmin.AllScopes()...) {
		status := http.StatusForbidden
		switch {
		case scope == "" && want != public:
			status = http.StatusUnauthorized
		case want.opensTo(scope):
			status = http.StatusOK
		}
		if got := j.ask(method, path, scope); got != status {
			wrong = append(wrong, fmt.Sprintf("%s %s with scope %q: %d, want %d for class %s", method, path, scope, got, status, want))
		}
	}
	return wrong
}

// TestTheJudgeCanFail: a rule too many, one too few and one too wide are seen.
func TestTheJudgeCanFail(t *testing.T) {
	list := routeList{
		Prefixes: []string{"/slots/*"},
		Routes: []route{
			{"GET", "/health", public}, {"POST", "/chat", "infer"}, {"GET", "/metrics", "metrics"},
			{"POST", "/slots/{id}", "admin"}, {"POST", "/tools", denied},
		},
	}
	rule := func(action authmin.Action, scope authmin.Scope, method string, paths ...string) authmin.Rule {
		r := authmin.Rule{Action: action, Methods: []string{method}, Paths: paths}
		if scope != "" {
			r.Scopes = []authmin.Scope{scope}
		}
		return r
	}
	right := []authmin.Rule{
		rule(authmin.ActionPublic, "", "GET", "/health"),
		rule(authmin.ActionRequire, "infer", "POST", "/chat"),
		rule(authmin.ActionRequire, "metrics", "GET", "/metrics"),
		rule(authmin.ActionRequire, "admin", "POST", "/slots/*"),
	}
	cases := map[string]struct {
		rules []authmin.Rule
		ok    bool
	}{
		"right":                 {right, true},
		"nothing":               {nil, false},
		"a route forgotten":     {right[1:], false},
		"another scope":         {slices.Concat(right[:1], []authmin.Rule{rule(authmin.ActionRequire, "metrics", "POST", "/chat")}, right[2:]), false},
		"public":                {slices.Concat([]authmin.Rule{rule(authmin.ActionPublic, "", "POST", "/chat")}, right), false},
		"a denied route opened": {append(slices.Clone(right), rule(authmin.ActionRequire, "admin", "POST", "/tools")), false},
		"another method opened": {append(slices.Clone(right), rule(authmin.ActionRequire, "infer", "DELETE", "/chat")), false},
		"a prefix too many":     {append(slices.Clone(right), rule(authmin.ActionRequire, "infer", "GET", "/v1/*")), false},
		"everything":            {append(slices.Clone(right), authmin.Rule{Action: authmin.ActionRequire, Scopes: []authmin.Scope{"admin"}, Paths: []string{"/*"}}), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			wrong := list.judge(t, c.rules)
			if ok := len(wrong) == 0; ok != c.ok {
				t.Errorf("wrong = %q, want ok = %v", wrong, c.ok)
			}
		})
	}
}
