package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

// checkHoldable refuses a rule that nobody could ever pass, because no token can
// have its scope: most likely it is misspelt. The shipped scopes are left out: to
// have no token for one of them now is how an operator closes a route. Scope
// admin passes every rule, and nobody knows what a keyring file will hold
// tomorrow: there it is a warning of lint's.
func checkHoldable(h httpcaddyfile.Helper, scopes []authmin.Scope) error {
	shipped := authmin.AllScopes()
	if slices.ContainsFunc(scopes, func(s authmin.Scope) bool { return slices.Contains(shipped, s) }) {
		return nil
	}
	held, complete, err := heldScopes(h)
	if err != nil || !complete || (authmin.Caller{Scopes: held}).Allows(scopes...) {
		return err
	}
	return fmt.Errorf("no token can have scope %s: the scopes are %s, and those that a token of the global authmin block has; correct the name, or give it to a token",
		authmin.JoinScopes(scopes, ","), strings.ReplaceAll(authmin.JoinScopes(shipped, ","), ",", ", "))
}

// heldScopes are the scopes that the global block gives away. They are not all
// that there will be when it names a keyring file.
func heldScopes(h httpcaddyfile.Helper) (held []authmin.Scope, complete bool, err error) {
	option, ok := h.Option(appName).(httpcaddyfile.App)
	if !ok {
		return authmin.AllScopes(), true, nil // those of the environment's token
	}
	app := new(App)
	if err := json.Unmarshal(option.Value, app); err != nil {
		return nil, false, fmt.Errorf("reading the global authmin block: %w", err)
	}
	for _, token := range app.Tokens {
		held = append(held, token.Scopes...)
	}
	if app.TrustProxy != nil {
		held = append(held, app.TrustProxy.Scopes...)
	}
	return held, len(app.TokenFiles) == 0, nil
}
