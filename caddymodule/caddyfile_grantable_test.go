package caddymodule

import "testing"

func TestRuleWithAScopeOfNoTokenIsRefused(t *testing.T) {
	site := func(scopes string) string {
		return "http://:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\trequire " + scopes + " /v1/*\n\t}\n}\n"
	}
	const ci, other = "\tauthmin {\n\t\ttoken ci {env.TEST_INFER} infer\n\t}\n", "\tauthmin {\n\t\ttoken ci {env.TEST_INFER} gpu\n\t}\n"
	for _, c := range []struct{ what, globals, scopes string }{
		{"a shipped scope that no token has", ci, "admin"},
		{"a scope of its own that a token has", other, "gpu"},
		{"one of two", ci, "infre,infer"},
		{"a keyring file", "\tauthmin {\n\t\ttoken_file /run/tokens\n\t}\n", "gpu"},
		{"a proxy's scope", "\tauthmin {\n\t\ttrust_proxy 10.0.0.7/32 {\n\t\t\tscopes gpu\n\t\t}\n\t}\n", "gpu"},
		{"the environment, whose token is admin", "", "gpu"},
		{"an admin token", twoTokens, "gpu"},
	} {
		if _, err := adapt("Caddyfile", options(c.globals)+site(c.scopes)); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for _, c := range []struct{ what, globals, scopes string }{
		{"misspelt", ci, "infre"}, {"both misspelt", ci, "infre,infr"}, {"another token's", ci, "gpu"},
	} {
		_, err := adapt("Caddyfile", options(c.globals)+site(c.scopes))
		expectRefused(t, err, "Caddyfile:", "no token can have scope "+c.scopes)
	}
}
