package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

func init() {
	caddy.RegisterModule(new(Guard))
}

// defaultGuardName labels a guard that was given no name.
const defaultGuardName = "default"

// Guard is the handler `http.handlers.authmin`. It decides every request that reaches
// it; a request that no rule matches is refused.
type Guard struct {
	// Name for metrics and the audit trail, [a-z0-9_-]{1,64}. Default: default.
	Name string `json:"name,omitempty"`

	// The policy. The first rule that matches a request decides.
	Rules []RuleConfig `json:"rules,omitempty"`

	// The gateway's own credential for the upstream, sent in place of the
	// client's: {env.NAME}, {file./absolute/path} or credential:NAME.
	UpstreamToken string `json:"upstream_token,omitempty"`

	// Where a token is read: bearer (Authorization), or bearer and x-api-key. With
	// both a request may use either, or both with the same token. Default: bearer.
	Credentials []string `json:"credentials,omitempty"`

	// Origins whose web pages may make requests and read the answers, such as
	// https://chat.example.com. The guard answers the browsers' preflights.
	CORS []string `json:"cors,omitempty"`

	// Paths where an encoded slash (%2F, in model ids) is allowed.
	AllowEncodedSlash []string `json:"allow_encoded_slash,omitempty"`

	// Paths where request trailers go to the upstream.
	AllowTrailers []string `json:"allow_trailers,omitempty"`

	// Names of identity, forwarding or impersonation headers that go to the upstream
	// as the client sent them. By default whole families of them are removed, such
	// as X-User-*, X-Forwarded-* and *-Client-IP.
	AllowHeaders []string `json:"allow_headers,omitempty"`

	// Allow plain HTTP on an address that other machines can reach, for a TLS
	// terminator in front. Tokens cross that network in clear.
	Plaintext bool `json:"plaintext,omitempty"`

	// Ask every request for a token, unless it is on a public route: from this machine
	// too, where `optional` is on, and from the proxies of `trust_proxy`.
	TokenOnly bool `json:"token_only,omitempty"`

	// Allowed requests that repeat all the time, such as heartbeats. Of those with one
	// identity, client address, method and path, the first in ten minutes has an audit
	// record, and the others share a summary. With a required sink each has its record.
	AuditSummary []RequestsConfig `json:"audit_summary,omitempty"`

	// Forward every request, and only count and log the requests that would be
	// refused. A shadow guard does not protect, and does not count as a guard.
	Shadow bool `json:"shadow,omitempty"`

	// How many requests each identity may make.
	Limit *RateLimit `json:"limit,omitempty"`

	// How many requests each identity may have in progress, streams included.
	Inflight int `json:"inflight,omitempty"`

	// How many requests of public routes one client may have in progress, until
	// the answer begins: an IPv4 address, or the /64 of an IPv6 one. More wait for
	// a second, then they are refused with 429. Default: 16.
	PublicInflight int `json:"public_inflight,omitempty"`

	// How many requests of public routes all clients together may have in
	// progress, until their answers begin. Default: 256.
	PublicTotal int `json:"public_total,omitempty"`

	// How long the body of a request of a public route may take. A GET or HEAD
	// has none there. Default: 10s.
	PublicBody caddy.Duration `json:"public_body,omitempty"`

	// Where requests name a model, and which routes have none. A token with a list of
	// models can use no other route than these.
	ModelIn []ModelRouteConfig `json:"model_in,omitempty"`

	// Requests that name no model, such as lists.
	ModelFree []ModelFreeConfig `json:"model_free,omitempty"`

	// The largest body, in bytes, that is read for the model of a token with a list of
	// models, or for a budget of tokens. Default: 33554432 (32 MiB).
	MaxBody int64 `json:"max_body,omitempty"`

	// upstream: the guard does not check the models of a token; the upstream does, which
	// gets them in X-Auth-Models, as the orchestrator and the pool manager do. An upstream
	// that does not read that header serves every model. Needs upstream_token, beside
	// which alone the header is believed. Default: the guard checks them.
	ModelsAt string `json:"models_at,omitempty"`

	// Record how many tokens each call took, in the audit trail and in metrics.
	Usage *UsageConfig `json:"usage,omitempty"`

	// What each identity may use of this guard, beside the budgets of its token and scopes,
	// such as 2Mtokens/day, 300requests/hour or 2Mtokens/day/hard.
	Budgets []authmin.Budget `json:"budgets,omitempty"`

	// The tokens that are reserved for the answer of a request that names no limit, and
	// the step by which a running stream reserves more. Default: 4096.
	BudgetReserve int64 `json:"budget_reserve,omitempty"`

	// What happens to requests with a budget while their counts cannot be written: open
	// forwards them. Default: they are refused with 503.
	BudgetFail string `json:"budget_fail,omitempty"`

	// Count budgets and refuse nothing.
	ShadowBudget bool `json:"shadow_budget,omitempty"`

	limits        limitRule
	models        *authmin.ModelRoutes
	cors          *corsRule // nil: none
	publicRule    publicRule
	exceptions    authmin.HeaderExceptions
	public        *publicLimiter
	limitName     string // of the guard, in the table of limits
	app           *App
	policy        *authmin.Policy
	upstream      *upstreamCredential // nil: none
	listeners     listenerSet
	errors        bool // the server has error routes
	decider       authmin.Decider
	metrics       guardMetrics
	usage         *usageMetrics // nil: tokens are not counted
	budgetMetrics *budgetMetrics

	// onCall is called with each call whose tokens are counted, before it is forwarded.
	// It may set what is to be called while the call runs. nil: not called.
	onCall func(*requestState, *authmin.Decision, *usageCall)
}

// RateLimit is REQUESTS in each WINDOW, with up to BURST of them at once.
type RateLimit struct {
	Requests int            `json:"requests"`
	Window   caddy.Duration `json:"window"`
	// Default: all of a window's requests.
	Burst int `json:"burst,omitempty"`
}

// CaddyModule implements [caddy.Module].
func (*Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.authmin", New: func() caddy.Module { return new(Guard) }}
}

// Provision builds the policy and finds the guard's listeners.
func (g *Guard) Provision(ctx caddy.Context) (err error) {
	app, err := ctx.App(AppName)
	if err != nil {
		return err
	}
	g.app = app.(*App)
	defer func() { g.app.rejection.setCause(err) }()
	if g.Name == "" {
		g.Name = defaultGuardName
	}
	if err := checkGuardName(g.Name); err != nil {
		return err
	}
	if g.policy, err = g.Policy(g.app.PlainAdmin()); err != nil {
		return g.errorf("%w", err)
	}
	if g.limits, err = limitsOf(g.Limit, g.Inflight); err != nil {
		return g.errorf("%w", err)
	}
	if g.publicRule, err = g.publicRuleOf(); err != nil {
		return g.errorf("%w", err)
	}
	if g.exceptions, err = authmin.NewHeaderExceptions(g.AllowHeaders); err != nil {
		return g.errorf("allow_headers: %w", err)
	}
	if g.cors, err = g.corsRuleOf(); err != nil {
		return g.errorf("cors: %w", err)
	}
	if err := g.checkAuditSummary(); err != nil {
		return g.errorf("audit_summary: %w", err)
	}
	if err := g.provisionModels(); err != nil {
		return g.errorf("%w", err)
	}
	if g.UpstreamToken != "" {
		if g.upstream, err = g.app.store.addUpstream(g.Name, g.UpstreamToken); err != nil {
			return g.errorf("upstream_token: %w", err)
		}
	}
	if err := g.place(ctx); err != nil {
		return g.errorf("%w", err)
	}
	g.public = g.app.state.public.of(g.limitName)
	g.decider = authmin.Decider{
		Policy: g.policy, Keyring: g.app.store.keyring,
		Optional: g.app.optional, TrustProxies: g.app.proxies,
	}
	if g.decider.APIKey, err = readsAPIKey(g.Credentials); err != nil {
		return g.errorf("credentials: %w", err)
	}
	if g.app.TrustProxy != nil {
		g.decider.ProxyScopes, g.decider.ProxyModels = g.app.TrustProxy.Scopes, g.app.proxyModels
	}
	if g.TokenOnly {
		g.decider.Optional, g.decider.TrustProxies = false, nil
	}
	g.metrics = g.app.metrics.guard(g.Name)
	if err := g.provisionUsage(); err != nil {
		return g.errorf("usage: %w", err)
	}
	if err := g.provisionBudgets(); err != nil {
		return g.errorf("%w", err)
	}
	g.app.guards.keep(g)
	return nil
}

// place finds the guard's listeners, and its position relative to the other guards.
func (g *Guard) place(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return errors.New("it is outside of any server")
	}
	http, err := ctx.App("http")
	if err != nil {
		return err
	}
	if g.listeners, err = listenersOf(server, http.(*caddyhttp.App).HTTPPort); err != nil {
		return err
	}
	if g.listeners.wrapped && len(g.app.proxies) > 0 {
		return errWrappedProxies
	}
	if g.app.optional {
		if err := checkExpectedHeaders(server); err != nil {
			return err
		}
	}
	if server.Logs != nil && server.Logs.ShouldLogCredentials {
		return errLogCredentials
	}
	if !g.app.guards.on(server) && !shieldLogs(server) {
		g.app.log.Warn("cannot redact misplaced tokens in the logs of this version of Caddy; write `format authmin` into each log")
	}
	g.errors = server.Errors != nil
	g.limitName, err = g.app.guards.add(server, ctx.Modules(), g.Name, g.Shadow)
	return err
}

// Validate applies the bind policy: `caddy validate` gets this far, and so does
// a reload before the old configuration stops.
func (g *Guard) Validate() error {
	address, err := g.listeners.check(g.app.store.keyring().Len() > 0, g.Plaintext, g.Shadow)
	if err != nil {
		g.app.audit.bindRefused(g.Name, address, err)
		g.app.rejection.setCause(err)
		return g.errorf("%w", err)
	}
	return nil
}

func (g *Guard) errorf(format string, args ...any) error {
	return fmt.Errorf("guard %s: "+format, append([]any{g.Name}, args...)...)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Guard)(nil)
	_ caddy.Validator             = (*Guard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
)
