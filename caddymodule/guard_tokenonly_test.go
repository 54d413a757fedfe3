package caddymodule

import (
	"strings"
	"testing"
)

// A guard with `token_only` takes no identity but a token's: not this machine's, with the
// bypass on, and not one that a trusted proxy names. Its public routes stay public.
func TestTokenOnlyTakesNoOtherIdentity(t *testing.T) {
	globals := strings.TrimSuffix(twoTokens, "\t}\n") + "\t\toptional true\n%s\t}\n"
	const proxies = "\t\ttrust_proxy 127.0.0.0/8 {\n\t\t\tscopes infer\n\t\t\tmodels *\n\t\t}\n"
	const policy = "authmin edge {\n public GET /open\n require infer /v1/*\n %s\n}\nrespond ok"
	for _, c := range []struct {
		option, trust string
		none, named   int // without a credential, and by a proxy that names an identity
	}{
		{"", "", 200, 401}, // the header is one of a proxy's, which ends the bypass
		{"", proxies, 401, 200},
		{"token_only", "", 401, 401},
		{"token_only", proxies, 401, 401},
	} {
		g := serve(t, false, strings.Replace(globals, "%s", c.trust, 1), strings.Replace(policy, "%s", c.option, 1))
		for _, ask := range []struct {
			path  string
			field []string
			want  int
		}{
			{"/open", nil, 200},
			{"/v1/x", nil, c.none},
			{"/v1/x", []string{"X-Auth-Identity: colleague"}, c.named},
			{"/v1/x", []string{asUser}, 200},
		} {
			answer, _ := g.ask(t, plainClient(), "GET", ask.path, ask.field...)
			if answer.StatusCode != ask.want {
				t.Errorf("%q, %q, %s %q: got %d, want %d", c.option, c.trust, ask.path, ask.field, answer.StatusCode, ask.want)
			}
		}
	}
}
