package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(App))
}

// AppName is the app's module id, its key in the configuration, and the name of
// its directive and global option.
const AppName = "authmin"

// App holds what all guards share: the tokens, the loopback bypass, and the
// proxies that may name an identity. Without a configuration of its own it
// reads the environment (LLORCH_API_TOKEN, AUTH_OPTIONAL, TRUST_PROXY_AUTH);
// with one, the environment is ignored.
type App struct {
	// Tokens that are configured one by one. A token itself is never in the
	// configuration, only its source.
	Tokens []TokenSource `json:"tokens,omitempty"`

	// Absolute paths of keyring files, which hold hashes only and are read
	// again within a second of a change.
	TokenFiles []string `json:"token_files,omitempty"`

	// Whether requests from this machine may go without a token: true, 1,
	// false, 0, or a placeholder such as {env.AUTH_OPTIONAL}.
	Optional string `json:"optional,omitempty"`

	// Proxies whose X-Auth-Identity is trusted.
	TrustProxy *TrustProxy `json:"trust_proxy,omitempty"`

	// When a client that sends invalid tokens is locked out. Default: after 10
	// in a minute, for 5 minutes.
	Lockout *Lockout `json:"lockout,omitempty"`

	// Answer GET /authmin/tokens and /authmin/lockouts on Caddy's admin endpoint,
	// if that is a Unix socket. Default: true.
	AdminAPI *bool `json:"admin_api,omitempty"`

	// Where the audit trail goes. Default: Caddy's log.
	Audit []AuditSink `json:"audit,omitempty"`

	// Whether a token with scope admin passes every rule, `require infer` as well as
	// `require admin`. Default: it does. With false, admin is a scope like any other
	// at this gateway, and passes the rules that name it. Upstreams receive the same
	// X-Auth-Scopes either way: to the orchestrator and the pool manager, admin still
	// includes every scope.
	AdminIsSuperuser *bool `json:"admin_is_superuser,omitempty"`

	// Bytes of the bodies that are held at one time to read the model in them.
	// Default: 268435456 (256 MiB).
	BodyMemory int64 `json:"body_memory,omitempty"`

	// What each identity with a scope may use.
	Budgets []ScopeBudget `json:"budgets,omitempty"`

	// Absolute path of the directory in which the gateway keeps the counts of budgets: its
	// own, mode 0700. A budget needs it.
	StateDir string `json:"state_dir,omitempty"`

	configured bool // a configuration was given, even an empty one
	rejection  rejection

	store       *tokenStore
	state       *processState
	acquired    bool // state has to be released
	optional    bool
	proxies     []netip.Prefix
	proxyModels *authmin.Models // nil: every model
	lockout     lockoutRule
	guards      guardList

	unguarded unguardedListeners
	shield    *logShield
	audit     *auditLog
	watched   *Watch // nil: the configuration has no page
	hasPage   bool
	metrics   *metrics
	ledger    *pooledLedger    // nil: no state_dir
	hasUsage  bool             // a guard has usage
	counting  bool             // ledger has to be released
	checked   *authmin.Keyring // the last one that was compared with ledger and hasUsage
	uncounted bool             // it has budgets, and there is no ledger or no usage for them
	log       *zap.Logger
	stopped   chan struct{}
	stop      func()
}

// TrustProxy configures the proxies that may set the identity of a request.
type TrustProxy struct {
	// Networks of the proxies' own addresses: the peers of the socket.
	CIDRs []string `json:"cidrs"`
	// Scopes of an identity that a proxy names. Default: none.
	Scopes []authmin.Scope `json:"scopes,omitempty"`
	// Models that such an identity may use; * for every model. Default: none.
	Models []string `json:"models,omitempty"`
}

// PlainAdmin reports whether scope admin passes only the rules that name it.
func (a *App) PlainAdmin() bool { return a.AdminIsSuperuser != nil && !*a.AdminIsSuperuser }

// Configured reports whether there is a global authmin block, even an empty one. Without
// one, the settings come from the environment.
func (a *App) Configured() bool { return a.configured }

// CaddyModule implements [caddy.Module].
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: AppName, New: func() caddy.Module { return new(App) }}
}

// UnmarshalJSON implements [json.Unmarshaler]. It records that there is a configuration:
// an empty block differs from no block.
func (a *App) UnmarshalJSON(data []byte) error {
	type plain App
	a.configured = true
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode((*plain)(a))
}

// Provision resolves the settings. Every invalid setting is refused here, so that
// `validate` reports it.
func (a *App) Provision(ctx caddy.Context) (err error) {
	choosePace()
	a.rejection.number = configurations.Add(1)
	defer func() { a.rejection.setCause(err) }()
	a.shield = &logShield{guards: &a.guards}
	if err := a.shield.place(ctx); err != nil {
		return err
	}
	a.log = ctx.Logger(a)
	if err = a.checkFaults(ctx); err != nil {
		return err
	}
	if a.metrics, err = provisionMetrics(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if a.state, err = acquireState(a.metrics); err != nil {
		return fmt.Errorf("creating the tables of lockouts and limits: %w", err)
	}
	a.acquired = true
	if a.audit, err = newAuditLog(a.Audit, a.log, a.metrics, a.watchers()...); err != nil {
		return err
	}
	if a.lockout, err = a.Lockout.rule(); err != nil {
		return err
	}
	tokens, err := a.resolve()
	if err != nil {
		return err
	}
	if a.store, err = newTokenStore(nil, a.TokenFiles, a.log, a.audit, a.metrics, tokens...); err != nil {
		return err
	}
	a.shield.leaks.Store(a.store.leaks)
	if err := a.provisionBudgets(); err != nil {
		return err
	}
	a.store.chains, err = chainKeys(a.Audit)
	return err
}

// resolve reads the single tokens and the other settings, from the
// configuration or else from the environment.
func (a *App) resolve() ([]sourcedToken, error) {
	if !a.configured {
		return a.resolveEnv()
	}
	repl := caddy.NewReplacer()
	value, err := repl.ReplaceOrErr(a.Optional, false, true)
	if err != nil {
		return nil, fmt.Errorf("optional: %w", err)
	}
	if a.optional, err = authmin.ParseOptional(value); err != nil {
		return nil, fmt.Errorf("optional: %w", err)
	}
	if a.TrustProxy != nil {
		if a.proxies, err = parseNetworks(a.TrustProxy.CIDRs); err != nil {
			return nil, fmt.Errorf("trust_proxy: %w", err)
		}
		if err := checkScopes(a.TrustProxy.Scopes); len(a.TrustProxy.Scopes) > 0 && err != nil {
			return nil, fmt.Errorf("trust_proxy: %w", err)
		}
		a.proxyModels = new(authmin.Models)
		if a.TrustProxy.Models != nil {
			if a.proxyModels, err = parseModelList(a.TrustProxy.Models); err != nil {
				return nil, fmt.Errorf("trust_proxy: %w", err)
			}
		}
	}
	if a.BodyMemory < 0 || a.BodyMemory > largestBodyMemory {
		return nil, errBodyMemory
	}
	tokens := make([]sourcedToken, 0, len(a.Tokens))
	for _, source := range a.Tokens {
		token, err := source.resolve()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// Start begins to watch keyring files, tokens that expire, and bans that end.
func (a *App) Start() error {
	if err := a.audit.open(); err != nil {
		return err
	}
	if a.ledger != nil {
		if err := a.ledger.Start(); err != nil {
			return fmt.Errorf("state_dir: %w", err)
		}
	}
	a.store.watch()
	runningShield.Store(a.shield)
	a.announce()
	stop := make(chan struct{})
	a.stopped = make(chan struct{})
	a.stop = func() { close(stop) }
	go func() {
		defer close(a.stopped)
		a.watch(stop)
	}()
	return nil
}

// announce logs settings that reduce protection, and the number of guards.
func (a *App) announce() {
	if a.optional {
		a.log.Warn("requests from this machine need no token (AUTH_OPTIONAL); a tunnel or proxy on this host that adds no forwarding header counts as this machine")
	}
	guards, shadows := a.guards.count()
	a.metrics.shadowGuards.Set(float64(shadows))
	a.metrics.setUnguarded(a.unguarded)
	a.audit.configLoaded(guards, shadows, a.store.keyring().Len())
	a.store.updateMetrics()
	if shadows > 0 {
		a.log.Warn("shadow guards refuse nothing", zap.Int("shadow_guards", shadows))
	}
	if guards == 0 {
		a.log.Warn("authmin is configured but guards nothing: no site has the directive authmin")
	}
}

// watch runs until stop is closed.
func (a *App) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(PollInterval)
	defer ticker.Stop()
	var secrets <-chan time.Time // never, where no secret is in a file of its own
	if a.store.secrets != nil && a.store.secrets.HasFiles() {
		looks := time.NewTicker(authmin.SecretInterval)
		defer looks.Stop()
		secrets = looks.C
	}
	a.tick(time.Now())
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			a.tick(time.Now())
		case <-secrets:
			if a.store.pollSecrets() {
				a.state.live.sweep(a.store.keyring(), time.Now())
			}
		}
	}
}

// tick handles changed files, expired tokens and ended bans.
func (a *App) tick(now time.Time) {
	shieldStdLog()
	a.store.poll()
	a.reportUncounted(a.store.keyring())
	a.metrics.sourcesUnusable.Set(float64(a.store.unusable()))
	a.state.live.sweep(a.store.keyring(), now)
	for _, client := range a.state.lockouts.expire(now) {
		a.audit.lockoutEnd(clientText(client))
	}
	a.audit.tick(now)
}

// Stop ends the goroutine of Start, and waits for it.
func (a *App) Stop() error {
	if a.stop != nil {
		a.stop()
		<-a.stopped
	}
	return nil
}

// Cleanup releases what Provision acquired. Caddy calls it after a failed Provision too.
func (a *App) Cleanup() error {
	a.recordRejection()
	if a.audit != nil {
		a.audit.close()
	}
	releasing := a.releaseLedger()
	if !a.acquired {
		return releasing
	}
	a.acquired = false // a.state stays set: requests in progress still use it
	return errors.Join(releasing, releaseState())
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
