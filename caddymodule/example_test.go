package caddymodule_test

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// exampleCaddyfile has one guard, which applies to the proxy after it.
const exampleCaddyfile = `{
	admin off
	authmin {
		token ci {file./run/secrets/ci_token} infer
	}
}
http://127.0.0.1:8080 {
	authmin edge {
		public GET,HEAD /health
		require infer /v1/*
		require admin /metrics
	}
	reverse_proxy 127.0.0.1:8081
}
`

// decodeExample adapts a Caddyfile and decodes it. Nothing is provisioned, and no port
// is opened.
func decodeExample(caddyfile string) (*caddymodule.Config, error) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(adapted, config); err != nil {
		return nil, err
	}
	return caddymodule.DecodeConfig(config)
}

// A guard in a Caddyfile has a policy, and the policy decides which scopes a request
// needs. `authmin explain` shows the same.
func ExampleReadGuard() {
	config, err := decodeExample(exampleCaddyfile)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, handler := range config.Coverage().Guards {
		guard, err := caddymodule.ReadGuard(handler.Raw)
		if err != nil {
			fmt.Println(err)
			return
		}
		policy, err := guard.Policy(config.App.PlainAdmin())
		if err != nil {
			fmt.Println(err)
			return
		}
		ci := config.App.Tokens[0]
		for _, path := range []string{"/health", "/v1/models", "/metrics", "/other"} {
			rule, err := policy.Match("GET", path)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("guard %s: GET %s: %s: ", guard.Name, path, policy.RuleText(rule))
			switch {
			case rule == authmin.NoRule:
				fmt.Println("refused")
			case policy.Rule(rule).Action == authmin.ActionPublic:
				fmt.Println("no token needed")
			default:
				fmt.Printf("token %s allowed: %t\n", ci.Name, policy.Allows(ci.Scopes, rule))
			}
		}
	}
	// Output:
	// guard edge: GET /health: public GET,HEAD /health: no token needed
	// guard edge: GET /v1/models: require infer /v1/*: token ci allowed: true
	// guard edge: GET /metrics: require admin /metrics: token ci allowed: false
	// guard edge: GET /other: default deny: refused
}

// Faults are mistakes that bypass a guard. `authmin lint` reports them, and the start
// refuses them.
func ExampleConfig_Faults() {
	config, err := decodeExample(`{
	admin off
}
http://127.0.0.1:8080 {
	authmin edge {
		require infer /v1/*
	}
	reverse_proxy 127.0.0.1:8081 {
		header_up X-Auth-Identity {query.user}
	}
}
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, fault := range config.Faults() {
		fmt.Println(fault.Server, "warning:", fault.IsWarning())
		fmt.Println(fault.Text)
	}
	// Output:
	// srv0 warning: false
	// reverse_proxy writes X-Auth-Identity; only the guard may set the identity, in X-Auth-Identity, X-Auth-Scopes and X-Auth-Models: remove it, or choose another name
}
