package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

// checkGrantable refuses a rule that no request could pass, because no token can have
// its scope: most likely the scope is misspelt. The built-in scopes are accepted, since
// an operator may close a route by granting one of them to no token. With a token of
// scope admin, or with a keyring file, lint reports it as a warning instead.
func checkGrantable(h httpcaddyfile.Helper, scopes []authmin.Scope) error {
	shipped := authmin.AllScopes()
	if slices.ContainsFunc(scopes, func(s authmin.Scope) bool { return slices.Contains(shipped, s) }) {
		return nil
	}
	held, complete, plainAdmin, err := grantedScopes(h)
	if err != nil || !complete || admits(held, scopes, plainAdmin) {
		return err
	}
	suggestion := ""
	for _, scope := range scopes {
		var known []string
		for _, s := range append(shipped, held...) {
			known = append(known, string(s))
		}
		if near := authmin.NearestWord(string(scope), known); near != "" {
			suggestion = " (did you mean " + near + "?)"
		}
	}
	return fmt.Errorf("no token can have scope %s%s: the scopes are %s, and those of the tokens in the global authmin block; correct the name, or grant the scope to a token",
		authmin.JoinScopes(scopes, ","), suggestion, strings.ReplaceAll(authmin.JoinScopes(shipped, ","), ",", ", "))
}

// grantedScopes are the scopes that the global block grants. complete is false if it
// names a keyring file, which may grant others.
func grantedScopes(h httpcaddyfile.Helper) (held []authmin.Scope, complete, plainAdmin bool, err error) {
	option, ok := h.Option(AppName).(httpcaddyfile.App)
	if !ok {
		return authmin.AllScopes(), true, false, nil // those of the environment's token
	}
	app := new(App)
	if err := json.Unmarshal(option.Value, app); err != nil {
		return nil, false, false, fmt.Errorf("reading the global authmin block: %w", err)
	}
	for _, token := range app.Tokens {
		held = append(held, token.Scopes...)
	}
	if app.TrustProxy != nil {
		held = append(held, app.TrustProxy.Scopes...)
	}
	return held, len(app.TokenFiles) == 0, app.PlainAdmin(), nil
}

// admits reports whether an identity with all held scopes passes a rule that requires
// one of wanted.
func admits(held, wanted []authmin.Scope, plainAdmin bool) bool {
	return slices.ContainsFunc(held, func(s authmin.Scope) bool {
		return s == authmin.ScopeAdmin && !plainAdmin || slices.Contains(wanted, s)
	})
}
