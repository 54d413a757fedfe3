package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"github.com/llorch/gateway/authmin"
	"pgregory.net/rapid"
)

// drawnSegments are spelled in ways that some software takes for one.
var drawnSegments = rapid.SampledFrom([]string{
	"api", "API", "Api", "apİ", "apı", "keys", "Keys", "\u212aeys", "ss", "ß", "ẞ", "é", "e\u0301", "É", "ﬁ", "fi", "ſ", "s",
})

var drawnPaths = rapid.Custom(func(t *rapid.T) string {
	path := "/" + strings.Join(rapid.SliceOfN(drawnSegments, 1, 3).Draw(t, "segments"), "/")
	return path + rapid.SampledFrom([]string{"", "", "/"}).Draw(t, "end")
})

var drawnRules = rapid.Custom(func(t *rapid.T) authmin.Rule {
	rule := authmin.Rule{
		Action:  rapid.SampledFrom([]authmin.Action{authmin.ActionDeny, authmin.ActionPublic, authmin.ActionRequire, authmin.ActionRequire}).Draw(t, "action"),
		Methods: rapid.SampledFrom([][]string{nil, nil, {"GET"}, {"POST"}}).Draw(t, "methods"),
	}
	if rule.Action == authmin.ActionRequire {
		rule.Scopes = rapid.SliceOfNDistinct(rapid.SampledFrom([]authmin.Scope{"infer", "nodes", "admin"}), 1, 2, rapid.ID).Draw(t, "scopes")
	}
	for range rapid.IntRange(1, 2).Draw(t, "paths") {
		path := drawnPaths.Draw(t, "path")
		if rapid.Bool().Draw(t, "prefix") {
			path = strings.TrimSuffix(path, "/") + "/*"
		}
		rule.Paths = append(rule.Paths, path)
	}
	return rule
})

// What a rule lets in is for no earlier rule that would not let it in: not as
// Caddy matches paths, not as it strips prefixes, and not as an upstream reads
// them that ignores case. What the deciding rule names is let in.
func TestNoSpellingPassesAStricterRule(t *testing.T) {
	ring, err := authmin.NewKeyring([]authmin.Token{
		authmin.NewToken("i", authmin.NewSecret(strings.Repeat("i", 40)), "infer"),
		authmin.NewToken("n", authmin.NewSecret(strings.Repeat("n", 40)), "nodes"),
		authmin.NewToken("a", authmin.NewSecret(strings.Repeat("a", 40)), "admin"),
	})
	if err != nil {
		t.Fatal(err)
	}
	refused, let := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		rules := rapid.SliceOfN(drawnRules, 1, 4).Draw(rt, "rules")
		rules = append(rules, authmin.Rule{Action: authmin.ActionPublic, Paths: []string{"/*"}})
		policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: rules})
		if err != nil {
			rt.Fatal(err)
		}
		guard := authmin.Decider{Policy: policy, Keyring: func() *authmin.Keyring { return ring }}
		path := drawnPaths.Draw(rt, "asked")
		header := http.Header{}
		holds := rapid.SampledFrom([]authmin.Scope{"", "infer", "nodes", "admin"}).Draw(rt, "holds")
		if holds != "" {
			header.Set("Authorization", "Bearer "+strings.Repeat(string(holds[:1]), 40))
		}
		target := (&url.URL{Path: path}).EscapedPath()
		d := guard.Decide(&authmin.Request{Method: "GET", Target: target, Host: "x", Header: header}, time.Now())
		named := d.Rule != authmin.NoRule && slices.Contains(rules[d.Rule].Paths, path)
		if d.Problem == &authmin.ProblemVariant {
			refused++
			if named {
				rt.Fatalf("%s is refused, and `%s` names it", path, rules[d.Rule])
			}
		}
		if !d.Allow || named {
			return
		}
		let++
		for _, earlier := range rules[:d.Rule] {
			if (len(earlier.Methods) > 0 && !slices.Contains(earlier.Methods, "GET")) || lets(earlier, rules[d.Rule]) {
				continue
			}
			for _, pattern := range earlier.Paths {
				if how := takenFor(target, pattern); how != "" {
					rt.Fatalf("%s passes `%s`: %s takes it for `%s`", path, rules[d.Rule], how, earlier)
				}
			}
		}
	})
	if refused == 0 || let == 0 {
		t.Errorf("%d refused and %d let in: the property says nothing", refused, let)
	}
}

// lets reports whether a rule lets in everybody whom another lets in.
func lets(r, other authmin.Rule) bool {
	if r.Action == authmin.ActionPublic || r.Action == authmin.ActionDeny {
		return r.Action == authmin.ActionPublic
	}
	if other.Action != authmin.ActionRequire {
		return false
	}
	for _, scope := range other.Scopes {
		if scope != "admin" && !slices.Contains(r.Scopes, scope) {
			return false
		}
	}
	return true
}

// takenFor says which software takes a request for one of a rule's pattern.
func takenFor(target, pattern string) string {
	request := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
	}
	r := request()
	matcher := caddyhttp.MatchPath{pattern}
	if err := matcher.Provision(caddy.Context{}); err != nil {
		return err.Error()
	}
	if ok, err := matcher.MatchWithError(r); ok || err != nil {
		return "Caddy's path matcher"
	}
	prefix, isPrefix := strings.CutSuffix(pattern, "/*")
	if isPrefix {
		strip := rewrite.Rewrite{StripPathPrefix: prefix}
		// Of /ss without /s Caddy makes /s: it puts the slash there itself. `validate`
		// refuses such a strip. With a segment boundary the rest stands in the path.
		if r := request(); strip.Rewrite(r, caddy.NewReplacer()) && strings.HasSuffix(request().URL.Path, r.URL.Path) && strings.Trim(r.URL.Path, "/") != "" {
			return "Caddy's prefix stripping, as " + r.URL.Path
		}
	}
	asked, wanted := strings.TrimSuffix(request().URL.Path, "/"), strings.TrimSuffix(prefix, "/")
	if strings.EqualFold(asked, wanted) {
		return "an upstream that ignores case and a slash at the end"
	}
	if isPrefix && len(asked) > len(wanted) {
		for i := range asked {
			if asked[i] == '/' && strings.EqualFold(asked[:i], wanted) {
				return "an upstream that ignores case"
			}
		}
	}
	return ""
}
