package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

// checkGrantable refuses a rule that no request could pass, because no token can
// have its scope: most likely it is misspelt. The shipped scopes are left out: to
// have no token for one of them now is how an operator closes a route. Scope
// admin passes every rule, and a keyring file may contain any scope later: there
// it is a warning of lint.
func checkGrantable(h httpcaddyfile.Helper, scopes []authmin.Scope) error {
	shipped := authmin.AllScopes()
	if slices.ContainsFunc(scopes, func(s authmin.Scope) bool { return slices.Contains(shipped, s) }) {
		return nil
	}
	held, complete, plainAdmin, err := grantedScopes(h)
	if err != nil || !complete || admits(held, scopes, plainAdmin) {
		return err
	}
	meant := ""
	for _, scope := range scopes {
		var known []string
		for _, s := range append(shipped, held...) {
			known = append(known, string(s))
		}
		if near := authmin.NearestWord(string(scope), known); near != "" {
			meant = " (did you mean " + near + "?)"
		}
	}
	return fmt.Errorf("no token can have scope %s%s: the scopes are %s, and those that a token of the global authmin block has; correct the name, or give it to a token",
		authmin.JoinScopes(scopes, ","), meant, strings.ReplaceAll(authmin.JoinScopes(shipped, ","), ",", ", "))
}

// grantedScopes are the scopes that the global block gives away. They are not all
// that there will be when it names a keyring file.
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

// admits reports whether one who holds all of these scopes passes a rule that asks for
// one of the others.
func admits(held, wanted []authmin.Scope, plainAdmin bool) bool {
	return slices.ContainsFunc(held, func(s authmin.Scope) bool {
		return s == authmin.ScopeAdmin && !plainAdmin || slices.Contains(wanted, s)
	})
}
