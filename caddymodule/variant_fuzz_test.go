package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/llorch/gateway/authmin"
)

// maxFuzzedTarget bounds a path of the fuzz target: rules are a few segments long.
const maxFuzzedTarget = 200

// fuzzedPolicies have strict rules before broad ones.
var fuzzedPolicies = [][]authmin.Rule{
	{
		{Action: authmin.ActionDeny, Paths: []string{"/internal/*", "/secret"}},
		{Action: authmin.ActionPublic, Paths: []string{"/*"}},
	}, {
		{Action: authmin.ActionRequire, Scopes: []authmin.Scope{"admin"}, Paths: []string{"/admin/*", "/v2/nodes"}},
		{Action: authmin.ActionRequire, Scopes: []authmin.Scope{"infer"}, Paths: []string{"/v2/*", "/*"}},
	}, {
		{Action: authmin.ActionRequire, Scopes: []authmin.Scope{"infer"}, Paths: []string{"/Straße/*", "/kelvin/\u212a/*", "/ollama"}},
		{Action: authmin.ActionPublic, Paths: []string{"/*"}},
	},
}

// routers are how other software takes a path for one that a rule names, beside those of
// takenFor. Each gets the path as net/url decodes it.
var routers = map[string]func(decoded, pattern string) bool{
	"net/http's ServeMux": servedByMux,
	"a router that ignores case and cleans": func(decoded, pattern string) bool {
		return under(strings.ToLower(path.Clean(decoded)), strings.ToLower(pattern))
	},
	"a router that folds Unicode": func(decoded, pattern string) bool {
		fold := func(text string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text))) }
		return under(fold(decoded), fold(pattern))
	},
	"a router that decodes again": func(decoded, pattern string) bool {
		again, err := url.PathUnescape(decoded)
		return err == nil && under(path.Clean(again), pattern)
	},
	"a router that takes parameters off": func(decoded, pattern string) bool {
		first, _, _ := strings.Cut(decoded, ";")
		return under(first, pattern)
	},
	"a router that takes \\ for /": func(decoded, pattern string) bool {
		return under(path.Clean(strings.ReplaceAll(decoded, `\`, "/")), pattern)
	},
}

// under reports whether a rule's pattern matches a path, a slash at its end set aside.
func under(asked, pattern string) bool {
	if prefix, isPrefix := strings.CutSuffix(pattern, "/*"); isPrefix {
		return strings.HasPrefix(asked, prefix+"/")
	}
	return strings.TrimSuffix(asked, "/") == strings.TrimSuffix(pattern, "/")
}

func servedByMux(decoded, pattern string) bool {
	mux := http.NewServeMux()
	name := strings.TrimSuffix(pattern, "*")
	mux.Handle(name, http.NotFoundHandler())
	r := &http.Request{Method: http.MethodGet, Host: "x", URL: &url.URL{Path: decoded}}
	handler, matched := mux.Handler(r)
	if matched != name {
		return false
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code == http.StatusNotFound // and no redirect to another path, which is judged anew
}

// FuzzPathIsReadAlike: what the policy lets in, no router takes for what an earlier and
// stricter rule guards.
func FuzzPathIsReadAlike(f *testing.F) {
	for _, target := range []string{
		"/Internal/x", "/internal", "/internal/", "/INTERNAL/x", "/%69nternal/x", "/%C4%B0nternal/x", "/\u0131nternal/x", "/x/../internal/x", "//internal/x",
		"/internal;a/x", `/x\..\internal/x`, "/%2e%2e/internal/x", "/internal%2fx", "/internal%00/x", "/secret/", "/Secret", "/secret%20", "/secret.", "/secret?", "/secret#x",
		"/Admin/x", "/admin/x", "/v2/Nodes", "/v2/nodes/", "/STRASSE/x", "/strasse/x", "/stra\u1e9ee/x", "/kelvin/k/x", "/Kelvin/K/x", "/\uff4fllama", "/ollama/",
		"/%25internal/x", "/internal%c0%af/x", "/a/./internal", "/ollama:443", "/ollama,x", "/ollama%3Fx",
	} {
		for policy := range fuzzedPolicies {
			f.Add(target, byte(policy), policy == 1)
		}
	}
	ring, err := authmin.NewKeyring([]authmin.Token{authmin.NewToken("i", authmin.NewSecret(strings.Repeat("i", 40)), "infer")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string, which byte, signed bool) {
		if len(target) > maxFuzzedTarget {
			return
		}
		rules := fuzzedPolicies[int(which)%len(fuzzedPolicies)]
		policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		if signed {
			header.Set("Authorization", "Bearer "+strings.Repeat("i", 40))
		}
		guard := authmin.Decider{Policy: policy, Keyring: func() *authmin.Keyring { return ring }}
		d := guard.Decide(&authmin.Request{Method: http.MethodGet, Target: target, Host: "x", Header: header}, time.Now())
		if !d.Allow || d.Rule == authmin.NoRule || slices.Contains(rules[d.Rule].Paths, d.Path) {
			return
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatalf("%q is let in, and net/url does not read it: %v", target, err)
		}
		for _, earlier := range rules[:d.Rule] {
			for _, pattern := range earlier.Paths {
				if how := takenFor(target, pattern); how != "" {
					t.Errorf("%q passes `%s`: %s takes it for `%s`", target, rules[d.Rule], how, pattern)
				}
				for how, takes := range routers {
					if takes(u.Path, pattern) {
						t.Errorf("%q passes `%s`: %s takes it for `%s`", target, rules[d.Rule], how, pattern)
					}
				}
			}
		}
	})
}
