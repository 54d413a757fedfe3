package caddymodule

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
)

func init() {
	caddy.RegisterModule(new(adminAPI))
}

// adminAPI serves the authmin endpoints of Caddy's admin endpoint, for `authmin token
// revoke` and for operators. Its answers contain names, states and fp6, never a hash or a
// token. It serves on a Unix socket only, where the mode of the file controls access
// (with access, a client could replace the whole configuration anyway), unless the
// global authmin block has admin_api off.
type adminAPI struct {
	ctx caddy.Context
}

// CaddyModule implements [caddy.Module].
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.authmin", New: func() caddy.Module { return new(adminAPI) }}
}

// Provision keeps the context: the apps are not provisioned yet. It runs before the
// endpoint listens, so an exposed endpoint is refused before it can be reached.
func (a *adminAPI) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	c, err := configOf(ctx)
	if err != nil {
		return err
	}
	return adminRefusal(c)
}

// Routes implements [caddy.AdminRouter].
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/authmin/tokens", Handler: caddy.AdminHandlerFunc(a.answer(http.MethodGet, listTokens))},
		{Pattern: "/authmin/tokens/revoke", Handler: caddy.AdminHandlerFunc(a.answer(http.MethodPost, revokeTokens))},
		{Pattern: "/authmin/lockouts", Handler: caddy.AdminHandlerFunc(a.answer(http.MethodGet, listLockouts))},
	}
}

// answer checks access to an endpoint, calls it, and writes its result as JSON.
func (a *adminAPI) answer(method string, endpoint func(*App, *http.Request) (any, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if local == nil || local.Network() != "unix" {
			return adminError(http.StatusForbidden, "the authmin endpoints are served on a Unix socket only; write `admin unix//run/llorch/admin.sock|0600`")
		}
		module, err := a.ctx.AppIfConfigured(AppName)
		app, ok := module.(*App)
		if err != nil || !ok || app.AdminAPI != nil && !*app.AdminAPI {
			return adminError(http.StatusNotFound, "the configuration has no guard, or its global authmin block says `admin_api off`")
		}
		if r.Method != method {
			return adminError(http.StatusMethodNotAllowed, "only "+method)
		}
		result, err := endpoint(app, r)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		return json.NewEncoder(w).Encode(result)
	}
}

func adminError(status int, message string) error {
	return caddy.APIError{HTTPStatus: status, Err: errors.New(message), Message: message}
}

// tokenEntry describes a token without its secret or hash.
type tokenEntry struct {
	Name      string          `json:"name"`
	Scopes    []authmin.Scope `json:"scopes"`
	FP6       string          `json:"fp6"`
	State     string          `json:"state"`
	Created   *time.Time      `json:"created,omitempty"`
	NotBefore *time.Time      `json:"not_before,omitempty"`
	Expires   *time.Time      `json:"expires,omitempty"`
	Models    []string        `json:"models,omitempty"` // none: every model
}

func entryOf(t *authmin.Token, now time.Time) tokenEntry {
	return tokenEntry{
		Name: t.Name, Scopes: t.Scopes, FP6: t.Fingerprint(), State: TokenState(t.VerdictAt(now)),
		Created: unixTime(t.Created), NotBefore: unixTime(t.NotBefore), Expires: unixTime(t.Expires),
		Models: t.Models.Patterns(),
	}
}

// tokenList is the answer to GET /authmin/tokens.
type tokenList struct {
	Tokens []tokenEntry `json:"tokens"`
	// Generations are the SHA-256 of the keyring files in use, in the order of
	// the configuration.
	Generations []string `json:"generations"`
	// KeyringFormat is the newest format of keyring files that this gateway reads.
	KeyringFormat int `json:"keyring_format"`
	// Problems are the reasons why the current content of a keyring file is not in use.
	Problems []string `json:"problems,omitempty"`
}

// listTokens lists the tokens, all or those of ?name=.
func listTokens(a *App, r *http.Request) (any, error) {
	now, name := time.Now(), r.URL.Query().Get("name")
	list := tokenList{Tokens: []tokenEntry{}, KeyringFormat: authmin.KeyringFormat, Generations: *a.store.generations.Load(), Problems: *a.store.problems.Load()}
	for t := range a.store.keyring().Tokens {
		if name != "" && t.Name != name {
			continue
		}
		list.Tokens = append(list.Tokens, entryOf(t, now))
	}
	return list, nil
}

func listLockouts(a *App, _ *http.Request) (any, error) {
	bans, _ := a.state.lockouts.list(time.Now(), maxClients)
	return map[string]any{"lockouts": bans}, nil
}

func unixTime(second int64) *time.Time {
	if second == 0 {
		return nil
	}
	t := time.Unix(second, 0).UTC()
	return &t
}

// Interface guards
var (
	_ caddy.Provisioner = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
