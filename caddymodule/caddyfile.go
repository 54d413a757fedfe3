package caddymodule

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(AppName, parseGlobal)
	// RegisterHandlerDirective would accept a matcher in front of the block, and
	// so leave open what it does not match.
	httpcaddyfile.RegisterDirective(AppName, parseGuard)
	// Before everything that can answer.
	httpcaddyfile.RegisterDirectiveOrder(AppName, httpcaddyfile.Before, "redir")
}

// parseGlobal reads the global option. Syntax:
//
//	authmin {
//		token       <name> <source> <scope...> {
//			models <pattern...>
//			budget <n> tokens|requests per hour|day|month [hard]
//		}
//		token_file  <absolute path>
//		optional    <bool>
//		trust_proxy <cidr...> {
//			scopes <scope...>
//			models <pattern...>
//		}
//		lockout     <failures> <window> <ban> | off
//		audit       <sink...> {
//			chain   <absolute path of a key file>
//			reserve <size> | off
//			required
//		}
//		admin_api   on | off
//		admin_is_superuser on | off
//		body_memory <size>
//		budget      <scope> <n> tokens|requests per hour|day|month [hard]
//		state_dir   <absolute path>
//	}
func parseGlobal(d *caddyfile.Dispenser, earlier any) (_ any, err error) {
	defer hideTokens(*d, &err)
	d.Next() // the option's name; errors take their file and line from it
	if earlier != nil {
		return nil, d.Err("a second global authmin block; merge the two, since only the last would take effect")
	}
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	app := new(App)
	seen := map[string]bool{}
	for d.NextBlock(0) {
		option := d.Val()
		if seen[option] && option != "token" && option != "token_file" && option != "audit" && option != "budget" {
			return nil, d.Errf("%s is given twice", option)
		}
		seen[option] = true
		if err := app.parseOption(d, option); err != nil {
			return nil, err
		}
	}
	return httpcaddyfile.App{Name: AppName, Value: caddyconfig.JSON(app, nil)}, nil
}

func (a *App) parseOption(d *caddyfile.Dispenser, option string) error {
	args := d.RemainingArgs()
	switch option {
	case "token":
		return a.parseToken(d, args)
	case "token_file":
		if len(args) != 1 || !filepath.IsAbs(args[0]) {
			return d.Err("want token_file and one absolute path, without braces, such as `token_file /etc/llorch/tokens`")
		}
		a.TokenFiles = append(a.TokenFiles, args[0])
	case "optional":
		if len(args) != 1 {
			return d.Err("want optional and one of true, 1, false, 0, or a placeholder such as {env.AUTH_OPTIONAL}")
		}
		if _, err := authmin.ParseOptional(args[0]); err != nil && !strings.HasPrefix(args[0], "{") {
			return d.Errf("optional: %v", err)
		}
		a.Optional = args[0]
	case "trust_proxy":
		if len(args) == 0 {
			return d.Err("trust_proxy names no network; write the proxies' addresses, such as 10.0.0.7/32")
		}
		if slices.Contains(args, "scopes") {
			return d.Err("trust_proxy: scopes go in a block: `trust_proxy 10.0.0.7/32 {`, and `scopes infer` on the next line")
		}
		if _, err := parseNetworks(args); err != nil {
			return d.Errf("trust_proxy: %v", err)
		}
		a.TrustProxy = &TrustProxy{CIDRs: args}
		return a.TrustProxy.parseBlock(d)
	case "lockout":
		return a.parseLockout(d, args)
	case "audit":
		return a.parseAudit(d, args)
	case "admin_api":
		on := len(args) == 0 || args[0] == "on"
		if len(args) > 1 || !on && args[0] != "off" {
			return d.Err("want admin_api on, which is the default where admin is a Unix socket, or admin_api off")
		}
		a.AdminAPI = &on
	case "admin_is_superuser":
		if len(args) != 1 || args[0] != "on" && args[0] != "off" {
			return d.Err("want admin_is_superuser on (scope admin passes every rule) or admin_is_superuser off (it passes only the rules that name it)")
		}
		on := args[0] == "on"
		a.AdminIsSuperuser = &on
	case "budget", "state_dir":
		return a.parseBudget(d, option, args)
	case "body_memory":
		size, ok := parseSize(args, largestBodyMemory)
		if !ok {
			return d.Errf("%v", errBodyMemory)
		}
		a.BodyMemory = size
	default:
		return d.Errf("%v", unknownOption(option, "the global authmin block", globalOptions, guardOptions, inGuard))
	}
	return nil
}

func (a *App) parseToken(d *caddyfile.Dispenser, args []string) error {
	const least = 3
	if len(args) < least {
		return d.Err("want token NAME SOURCE SCOPE…")
	}
	name, source := args[0], args[1]
	if checkSource(name) == nil && authmin.CheckTokenName(source) == nil && len(source) < authmin.MinTokenLength {
		return d.Err("token: the name comes first: want token NAME SOURCE SCOPE…")
	}
	if err := checkSource(source); err != nil {
		// Without the name: if the operator forgot it, the token is in its place.
		return d.Errf("token: %v", err)
	}
	if err := authmin.CheckTokenName(name); err != nil {
		return d.Errf("%v", err)
	}
	if slices.ContainsFunc(a.Tokens, func(t TokenSource) bool { return t.Name == name }) {
		return d.Errf("token %s is given twice", name)
	}
	if slices.ContainsFunc(args[2:], func(word string) bool { return len(word) >= authmin.MinTokenLength && !strings.Contains(word, ",") }) {
		return d.Errf("token %s: one of its scopes is as long as a token; a token must not be in this file", name)
	}
	scopes, err := parseScopes(args[2:])
	if err != nil {
		return d.Errf("token %s: %v", name, err)
	}
	token := TokenSource{Name: name, Source: source, Scopes: scopes}
	if err := token.parseBlock(d); err != nil {
		return err
	}
	a.Tokens = append(a.Tokens, token)
	return nil
}

const wantLockout = "want lockout FAILURES WINDOW BAN, such as `lockout 10 1m 5m`, or lockout off"

func (a *App) parseLockout(d *caddyfile.Dispenser, args []string) error {
	a.Lockout = new(Lockout)
	switch len(args) {
	case 1:
		if args[0] != "off" {
			return d.Err(wantLockout)
		}
		a.Lockout.Off = true
	case 3:
		failures, err := strconv.Atoi(args[0])
		if err != nil {
			return d.Errf("%s: %q is not a number of failures", wantLockout, args[0])
		}
		a.Lockout.Failures = failures
		for i, at := range []*caddy.Duration{&a.Lockout.Window, &a.Lockout.Ban} {
			length, err := caddy.ParseDuration(args[i+1])
			if err != nil {
				return d.Errf("%s: %q is not a duration with a unit, such as 5m", wantLockout, args[i+1])
			}
			*at = caddy.Duration(length)
		}
	default:
		return d.Err(wantLockout)
	}
	if _, err := a.Lockout.rule(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// hideTokens redacts words that could be a token from an error: the parser quotes a
// token that is in a wrong place.
func hideTokens(d caddyfile.Dispenser, err *error) {
	for *err != nil && d.Next() {
		word := strings.TrimSuffix(strings.TrimPrefix(d.Val(), "{file."), "}")
		if strings.HasPrefix(word, "/") || authmin.CheckStrength(authmin.NewSecret(word)) != nil {
			continue
		}
		if text := (*err).Error(); strings.Contains(text, word) {
			*err = errors.New(strings.ReplaceAll(text, word, "[redacted]"))
		}
	}
}

// parseScopes parses scopes from words, each of which may be a comma-separated list.
func parseScopes(words []string) ([]authmin.Scope, error) {
	if len(words) == 0 {
		return nil, errors.New("it names no scope")
	}
	return authmin.ParseScopes(strings.Join(words, ","))
}
