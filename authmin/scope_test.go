package authmin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseScopes(t *testing.T) {
	most := make([]Scope, MaxScopes)
	for i := range most {
		most[i] = Scope(fmt.Sprintf("s%d", i))
	}
	many := JoinScopes(most, ",")
	cases := map[string][]Scope{
		"infer": {ScopeInfer}, "infer,nodes": {ScopeInfer, ScopeNodes}, "a_b-9": {"a_b-9"}, strings.Repeat("a", 64): {Scope(strings.Repeat("a", 64))},
		"": nil, ",": nil, "infer,": nil, ",infer": nil, "infer,,nodes": nil, "infer nodes": nil, "infer, nodes": nil, " infer": nil,
		"Infer": nil, "infer,infer": nil, "*": nil, "infer;nodes": nil, "é": nil, "a\x00": nil, strings.Repeat("a", 65): nil, many: most, many + ",one-more": nil,
	}
	for list, want := range cases {
		got, err := ParseScopes(list)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%.70q: %v, -want +got:\n%s", list, err, diff)
		}
	}
}

func TestScopesRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOfNDistinct(rapid.Map(rapid.StringMatching(`[a-z0-9_-]{1,64}`), func(s string) Scope { return Scope(s) }), 1, MaxScopes, rapid.ID[Scope]).Draw(rt, "scopes")
		got, err := ParseScopes(JoinScopes(want, ","))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			rt.Fatalf("%v, -want +got:\n%s", err, diff)
		}
	})
}

func TestCheckTokenName(t *testing.T) {
	for _, name := range []string{"a", "ci", "ci-2_x", "0", strings.Repeat("x", 64), strings.Repeat("a", 31), "localhosts", "gateway", "admin"} {
		if err := CheckTokenName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "localhost", "anonymous", "default", "Ci", "c i", "c.i", "c,i", "proxy:ci", "c\ni", "é", "c\"i", strings.Repeat("x", 65), strings.Repeat("a", 32)} {
		if err := CheckTokenName(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
