package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

// parseGuard reads the directive. Syntax:
//
//	authmin [<name>] {
//		public              [<METHOD,...>] <path...>
//		require <scope,...> [<METHOD,...>] <path...>
//		deny                [<METHOD,...>] <path...>
//		upstream_token      <source>
//		credentials         bearer [x-api-key]
//		cors                <origin...>
//		allow_encoded_slash <path...>
//		allow_trailers      <path...>
//		allow_headers       <name...>
//		limit               <requests> <window> [<burst>]
//		inflight            <requests>
//		public_inflight     <requests of one client>
//		public_total        <requests of all clients>
//		public_body         <duration>
//		model_in            body|query|form|path[:<member>] [<METHOD,...>] <path...>
//		model_free          [<METHOD,...>] <path...>
//		max_body            <size>
//		models_at           upstream
//		usage {
//			identities      <number>
//		}
//		budget              <n> tokens|requests per hour|day|month [hard]
//		budget_reserve      <tokens>
//		budget_fail         open
//		shadow_budget
//		token_only
//		shadow
//		audit_summary       [<METHOD,...>] <path...>
//		plaintext
//	}
//
// A path is exact, or a prefix that ends in /*. The first rule that matches decides; a
// request that no rule matches is refused. There is no matcher: a guard applies to
// everything after it in its site or route.
func parseGuard(h httpcaddyfile.Helper) (_ []httpcaddyfile.ConfigValue, err error) {
	d := h.Dispenser
	defer hideTokens(*d, &err)
	d.Next() // the directive's name
	g := new(Guard)
	if g.Name, err = parseGuardName(d.RemainingArgs()); err != nil {
		return nil, d.Errf("%v", err)
	}
	seen := map[string]bool{}
	for d.NextBlock(0) {
		option := d.Val()
		if seen[option] && !slices.Contains([]string{"public", "require", "deny", "model_in", "model_free", "budget", "audit_summary"}, option) {
			return nil, d.Errf("%s is given twice", option)
		}
		seen[option] = true
		if err := g.parseOption(d, option); err != nil {
			return nil, err
		}
		if option == "require" {
			if err := checkGrantable(h, g.Rules[len(g.Rules)-1].Scopes); err != nil {
				return nil, d.Errf("%v", err)
			}
		}
	}
	return h.NewRoute(nil, g), nil
}

// parseGuardName parses the arguments between the directive and its block.
func parseGuardName(args []string) (string, error) {
	for _, arg := range args {
		if strings.IndexAny(arg, "/*@") == 0 {
			return "", fmt.Errorf("authmin takes no matcher (%s): requests that it does not match would not be checked; write `authmin NAME {` and rules with paths into its block", arg)
		}
	}
	switch {
	case len(args) == 0:
		return "", nil
	case len(args) > 1:
		return "", errors.New("authmin takes one name, or none: write `authmin NAME {`, and rules into its block")
	case strings.Contains(args[0], "{args["):
		return "", fmt.Errorf("the guard's name %s has no value: the import of this snippet passes too few arguments", args[0])
	case strings.HasSuffix(args[0], "{"):
		return "", errors.New("a space is missing before the {: write `authmin NAME {`")
	}
	return args[0], checkGuardName(args[0])
}

func (g *Guard) parseOption(d *caddyfile.Dispenser, option string) error {
	args := d.RemainingArgs()
	switch option {
	case "public", "deny":
		return g.parseRule(d, RuleConfig{Action: option}, args)
	case "require":
		if len(args) == 0 || strings.HasPrefix(args[0], "/") || slices.Contains(methodNames, args[0]) {
			return d.Err("require names no scope: want require SCOPE[,SCOPE…] [METHOD,…] PATH…, such as `require infer POST /v1/*`; for a route without a token, write public")
		}
		scopes, err := authmin.ParseScopes(args[0])
		if err != nil {
			return d.Errf("require: %v", err)
		}
		return g.parseRule(d, RuleConfig{Action: option, Scopes: scopes}, args[1:])
	case "upstream_token":
		if len(args) != 1 {
			return d.Errf("upstream_token: %v", errSource) // ArgErr would repeat what could be the token
		}
		g.UpstreamToken = args[0]
		if err := checkSource(args[0]); err != nil {
			return d.Errf("upstream_token: %v", err)
		}
	case "credentials":
		g.Credentials = args
		if _, err := readsAPIKey(args); err != nil || len(args) == 0 {
			return d.Errf("credentials: %v", errCredentials)
		}
	case "cors":
		g.CORS = args
		if len(args) == 0 {
			return d.Err("cors names no origin: want cors ORIGIN…, such as `cors https://chat.example.com`")
		}
		if _, err := g.corsRuleOf(); err != nil {
			return d.Errf("cors: %v", err)
		}
	case "allow_encoded_slash":
		g.AllowEncodedSlash = append(g.AllowEncodedSlash, args...)
		return checkPaths(d, args, authmin.PolicyOptions{AllowEncodedSlash: args})
	case "allow_trailers":
		g.AllowTrailers = append(g.AllowTrailers, args...)
		return checkPaths(d, args, authmin.PolicyOptions{AllowTrailers: args})
	case "allow_headers":
		if len(args) == 0 {
			return d.ArgErr()
		}
		g.AllowHeaders = append(g.AllowHeaders, args...)
		if _, err := authmin.NewHeaderExceptions(args); err != nil {
			return d.Errf("allow_headers: %v", err)
		}
	case "limit", "inflight":
		return g.parseLimit(d, option, args)
	case "public_inflight", "public_total", "public_body":
		return g.parsePublic(d, option, args)
	case "model_in", "model_free", "max_body", "models_at":
		return g.parseModels(d, option, args)
	case "audit_summary":
		return g.parseAuditSummary(d, args)
	case "usage":
		return g.parseUsage(d, args)
	case "budget", "budget_reserve", "budget_fail", "shadow_budget":
		return g.parseBudget(d, option, args)
	case "token_only", "shadow", "plaintext":
		if len(args) != 0 {
			return d.Errf("%s takes no value", option)
		}
		g.TokenOnly = g.TokenOnly || option == "token_only"
		g.Shadow = g.Shadow || option == "shadow"
		g.Plaintext = g.Plaintext || option == "plaintext"
	default:
		return d.Errf("%v", unknownOption(option, "a guard", guardOptions, globalOptions, inGlobal))
	}
	return nil
}

// parseLimit reads `limit REQUESTS WINDOW [BURST]` and `inflight REQUESTS`.
func (g *Guard) parseLimit(d *caddyfile.Dispenser, option string, args []string) error {
	wrong := d.Err("want limit REQUESTS WINDOW [BURST], such as `limit 600 1m`, or inflight REQUESTS, with numbers above 0")
	numbers := make([]int, len(args))
	var err error
	for i, arg := range args {
		if option == "limit" && i == 1 {
			continue // the window
		}
		if numbers[i], err = strconv.Atoi(arg); err != nil || numbers[i] <= 0 {
			return wrong
		}
	}
	switch {
	case option == "inflight" && len(args) == 1:
		g.Inflight = numbers[0]
	case option == "limit" && (len(args) == 2 || len(args) == 3):
		window, err := caddy.ParseDuration(args[1])
		if err != nil || window <= 0 {
			return wrong
		}
		g.Limit = &RateLimit{Requests: numbers[0], Window: caddy.Duration(window)}
		if len(args) == 3 {
			g.Limit.Burst = numbers[2]
		}
	default:
		return wrong
	}
	return nil
}

// parseRule parses what follows the action and scopes of a rule: optional methods, then
// paths. It checks the rule, because file and line are known here.
func (g *Guard) parseRule(d *caddyfile.Dispenser, config RuleConfig, args []string) error {
	var err error
	if config.Methods, config.Paths, err = cutMethods(config.Action, args); err != nil {
		return d.Errf("%s: %v", config.Action, err)
	}
	rule, err := config.Rule()
	if err == nil {
		_, err = authmin.NewPolicy(authmin.PolicyOptions{Rules: []authmin.Rule{rule}})
	}
	if err != nil {
		return d.Errf("%v", err)
	}
	g.Rules = append(g.Rules, config)
	return nil
}

// cutMethods cuts the optional methods off the paths of a rule or an option.
func cutMethods(option string, args []string) (methods, paths []string, err error) {
	if err := misreadRule(option, args); err != nil {
		return nil, nil, err
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "/") {
		return strings.Split(args[0], ","), args[1:], nil
	}
	return nil, args, nil
}

// checkPaths checks that the paths of an option have the form of a rule's paths.
func checkPaths(d *caddyfile.Dispenser, args []string, o authmin.PolicyOptions) error {
	if len(args) == 0 {
		return d.ArgErr()
	}
	if _, err := authmin.NewPolicy(o); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

var errGuardName = errors.New("a guard's name is 1 to 64 of a-z, 0-9, _ and -")

// checkGuardName checks that the name of a guard, which is a metric label, has the form
// of a scope or token name.
func checkGuardName(name string) error {
	_, err := authmin.ParseScopes(name)
	if err != nil || strings.Contains(name, ",") {
		return errGuardName
	}
	return nil
}
