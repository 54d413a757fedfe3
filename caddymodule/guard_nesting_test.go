package caddymodule

import (
	"strings"
	"testing"
)

// One request has one policy: a guard inside a guard is refused, in every
// arrangement; guards beside each other are not.
func TestGuardInsideGuard(t *testing.T) {
	const guard = "authmin {\n\tpublic /*\n}\n"
	cases := map[string]struct {
		config  string
		refused bool
	}{
		"site and handle":           {"http://a:8080 {\n G handle /x {\n G respond ok\n }\n}", true},
		"handle before its site":    {"http://a:8080 {\n handle /x {\n G respond ok\n }\n G }", true},
		"site and route":            {"http://a:8080 {\n G route /x {\n G respond ok\n }\n}", true},
		"twice in a site":           {"http://a:8080 {\n G G respond ok\n}", true},
		"twice in a route":          {"http://a:8080 {\n route {\n G G respond ok\n }\n}", true},
		"twice in a handle":         {"http://a:8080 {\n handle {\n G G respond ok\n }\n}", true},
		"two levels down":           {"http://a:8080 {\n G handle /x/* {\n handle /x/y {\n G respond ok\n }\n }\n}", true},
		"below a sibling":           {"http://a:8080 {\n handle /x/* {\n G handle /x/y {\n G respond ok\n }\n }\n handle {\n G }\n}", true},
		"catch-all site and handle": {":8080 {\n G handle /x {\n G respond ok\n }\n}", true},
		"twice in handle_errors":    {":8080 {\n handle_errors {\n G G respond ok\n }\n}", true},
		"behind a proxy's answer":   {":8080 {\n G reverse_proxy 127.0.0.1:1 {\n handle_response {\n G respond ok\n }\n }\n}", true},
		"named route and site":      {"&(n) {\n G respond ok\n}\n:8080 {\n G invoke n\n}", true},
		"named route, site, errors": {"&(n) {\n G respond ok\n}\n:8080 {\n G invoke n\n handle_errors {\n respond sorry\n }\n}", true},

		"handles beside each other":      {"http://a:8080 {\n handle /x {\n G respond x\n }\n handle {\n G respond y\n }\n}", false},
		"handle_paths beside each other": {"http://a:8080 {\n handle_path /x/* {\n G respond x\n }\n handle_path /y/* {\n G respond y\n }\n}", false},
		"routes beside each other":       {"http://a:8080 {\n route /x {\n G respond x\n }\n route /y {\n G respond y\n }\n}", false},
		"two sites of one server":        {"http://a:8080 {\n G respond a\n}\nhttp://b:8080 {\n G respond b\n}", false},
		"a site and the catch-all":       {"http://a:8080 {\n G respond a\n}\nhttp://:8080 {\n G respond b\n}", false},
		"two servers":                    {":8080 {\n G respond a\n}\n:8081 {\n G respond b\n}", false},
		"site and handle_errors":         {":8080 {\n G respond a\n handle_errors {\n G respond b\n }\n}", false},
		"host and handle_errors":         {"http://a:8080 {\n G respond a\n handle_errors {\n G respond b\n }\n}", false},
		"handle_errors alone":            {":8080 {\n respond a\n handle_errors {\n G respond b\n }\n}", false},
		"two handle_errors":              {":8080 {\n G handle_errors 404 {\n G respond b\n }\n handle_errors 5xx {\n G respond b\n }\n}", false},
		"a proxy's answer alone":         {":8080 {\n reverse_proxy 127.0.0.1:1 {\n handle_response {\n G respond ok\n }\n }\n}", false},
		"a named route alone":            {"&(n) {\n G respond ok\n}\n:8080 {\n invoke n\n}", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config := strings.ReplaceAll(c.config, "G ", guard)
			config = strings.ReplaceAll(config, "authmin {\n\tpublic /*\n}", "authmin {\n\tplaintext\n\tpublic /*\n}")
			err := validate(t, options(silent, twoTokens)+config+"\n")
			if c.refused {
				expectRefused(t, err, "is inside another authmin guard", "guard default")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A configuration that Caddy gets as JSON names no server twice, but it can put a
// guard where no Caddyfile can.
func TestGuardInsideGuardInJSON(t *testing.T) {
	const guard = `{"handler":"authmin","plaintext":true}`
	for name, routes := range map[string]string{
		"two handlers of a route":  `[{"handle":[` + guard + `,` + guard + `]}]`,
		"two routes after another": `[{"handle":[` + guard + `]},{"handle":[` + guard + `]}]`,
		"a route and a subroute":   `[{"handle":[` + guard + `,{"handler":"subroute","routes":[{"handle":[` + guard + `]}]}]}]`,
		"a subroute of a subroute": `[{"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"subroute","routes":[{"handle":[` + guard + `]}]}]},{"handle":[` + guard + `]}]}]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			config := `{"admin":{"disabled":true},"apps":{"authmin":{"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["infer"]}]},"http":{"servers":{"s":{"listen":[":8080"],"routes":` + routes + `}}}}}`
			expectRefused(t, validateJSON(t, []byte(config)), "is inside another authmin guard")
		})
	}
}
