package caddymodule

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/budget"
)

// ScopeBudget is what each identity with a scope may use.
type ScopeBudget struct {
	Scope  authmin.Scope  `json:"scope"`
	Budget authmin.Budget `json:"budget"`
}

// Bounds of what is reserved for the answer of a request without a limit of its own.
const (
	defaultBudgetReserve = 4096
	largestBudgetReserve = 1 << 31
)

// maxScopeBudgets bounds the budgets of scopes: a request is compared with each.
const maxScopeBudgets = 64

// budgetFailOpen is the value of `budget_fail`.
const budgetFailOpen = "open"

// ledgers are the ledgers of this process by directory. A new configuration starts before
// the old one stops, and both count in the same ledger.
var ledgers = caddy.NewUsagePool()

// ledgerClock is the clock of the ledgers, replaced by tests; nil for the machine's.
var ledgerClock func() time.Time

// pooledLedger is a ledger in the pool.
type pooledLedger struct{ *budget.Ledger }

// Destruct implements [caddy.Destructor]. It is called when the last configuration has
// released the ledger.
func (l *pooledLedger) Destruct() error { return l.Stop() }

var (
	errStateDir      = errors.New("want state_dir and one absolute path of an existing directory, such as `state_dir /var/lib/llorch/budgets`")
	errNoStateDir    = errors.New("a budget needs a directory for its counts: write `state_dir /var/lib/llorch/budgets` into the global authmin block")
	errUncounted     = errors.New("a token or scope has a budget of tokens, and no guard counts tokens: write `usage` into the guards before engines")
	errNoUsage       = errors.New("a budget of tokens needs their figures: write `usage` into the guard")
	errBudgetReserve = errors.New("want budget_reserve and a number of tokens from 1 to 2147483648, such as `budget_reserve 4096`")
	errBudgetFail    = errors.New("want budget_fail open, or no budget_fail: requests with a budget are refused while their counts cannot be written")
)

// provisionBudgets checks the budgets of tokens and scopes, and acquires the ledger. It
// writes nothing: `validate` gets this far while a gateway counts in the directory.
func (a *App) provisionBudgets() error {
	if len(a.Budgets) > maxScopeBudgets {
		return fmt.Errorf("budget: %d budgets of scopes are over the limit of %d", len(a.Budgets), maxScopeBudgets)
	}
	for i, b := range a.Budgets {
		if err := checkScopes([]authmin.Scope{b.Scope}); err != nil {
			return fmt.Errorf("budget: %w", err)
		}
		same := []authmin.Budget{b.Budget}
		for _, other := range a.Budgets[:i] {
			if other.Scope == b.Scope {
				same = append(same, other.Budget)
			}
		}
		if err := authmin.CheckBudgets(same); err != nil {
			return fmt.Errorf("budget %s: %w", b.Scope, err)
		}
	}
	if a.StateDir == "" {
		if len(a.Budgets) > 0 || a.hasBudget(func(authmin.Budget) bool { return true }) {
			return errNoStateDir
		}
		return nil
	}
	if !a.hasUsage && a.hasBudget(isOfTokens) {
		return errUncounted
	}
	if !filepath.IsAbs(a.StateDir) {
		return errStateDir
	}
	dir := filepath.Clean(a.StateDir)
	if err := budget.CheckDirectory(dir); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	value, _, err := ledgers.LoadOrNew(dir, func() (caddy.Destructor, error) {
		return &pooledLedger{budget.New(budget.Options{Directory: dir, Log: operatorLog, Now: ledgerClock})}, nil
	})
	if err != nil {
		return err
	}
	a.ledger, a.counting = value.(*pooledLedger), true
	return nil
}

// reportUncounted logs that a keyring has a budget which is not counted, or one of tokens
// without figures of them: once, until it has none. At the start such a keyring is refused; a
// keyring file may get a budget later.
func (a *App) reportUncounted(ring *authmin.Keyring) {
	if ring == a.checked {
		return
	}
	a.checked = ring
	uncounted, text := false, ""
	switch {
	case a.ledger == nil:
		uncounted = a.hasBudget(func(authmin.Budget) bool { return true })
		text = "a token of a keyring file has a budget, and there is no directory for its counts: its requests are refused with 503; write `state_dir /var/lib/llorch/budgets` into the global authmin block, or remove the budget"
	case !a.hasUsage:
		uncounted = a.hasBudget(isOfTokens)
		text = "a token of a keyring file has a budget of tokens, and no guard counts tokens: each of its requests is charged all that it reserves, and the gateway will not start with this keyring; write `usage` into the guards before engines, or remove the budget"
	}
	if uncounted && !a.uncounted {
		a.log.Error(text)
	}
	a.uncounted = uncounted
}

// hasBudget reports whether a token or scope has a budget of a kind.
func (a *App) hasBudget(is func(authmin.Budget) bool) bool {
	for token := range a.store.keyring().Tokens {
		if slices.ContainsFunc(token.Budgets, is) {
			return true
		}
	}
	return slices.ContainsFunc(a.Budgets, func(b ScopeBudget) bool { return is(b.Budget) })
}

// releaseLedger gives up the configuration's use of its ledger. Requests in progress still
// settle in it, and another configuration may hold it.
func (a *App) releaseLedger() error {
	if !a.counting {
		return nil
	}
	a.counting = false
	_, err := ledgers.Delete(filepath.Clean(a.StateDir))
	return err
}

// provisionBudgets checks the settings of a guard about budgets.
func (g *Guard) provisionBudgets() error {
	switch {
	case g.BudgetReserve < 0 || g.BudgetReserve > largestBudgetReserve:
		return errBudgetReserve
	case g.BudgetFail != "" && g.BudgetFail != budgetFailOpen:
		return errBudgetFail
	case len(g.Budgets) > 0 && g.app.StateDir == "":
		return errNoStateDir
	}
	if g.BudgetReserve == 0 {
		g.BudgetReserve = defaultBudgetReserve
	}
	if err := authmin.CheckBudgets(g.Budgets); err != nil {
		return fmt.Errorf("budget: %w", err)
	}
	if g.Usage == nil && slices.ContainsFunc(g.Budgets, isOfTokens) {
		return errNoUsage
	}
	g.onCall = g.countCall
	g.budgetMetrics = &budgetMetrics{g.Name, g.app.metrics.budgetSpent, g.app.metrics.budgetRefused, g.app.metrics.budgetUnavailable.WithLabelValues(g.Name), g.app.state.identities.of(g.Name, g.identities())}
	return nil
}

// claimsOf returns the budgets that apply to an identity at this guard: those of its token,
// of its scopes, and the guard's. Each identity has counts of its own. It returns nil for
// one without a budget.
func (g *Guard) claimsOf(d *authmin.Decision) []budget.Claim {
	if d.Name == "" || d.Budgets == nil && g.Budgets == nil && g.app.Budgets == nil {
		return nil
	}
	var claims []budget.Claim
	for of, b := range BudgetsOf(d, g.app.Budgets, g.Budgets) {
		if of == budgetOfGuard {
			of += " " + g.Name
		}
		claims = append(claims, budget.Claim{
			Key: of + " " + d.Name, Budget: b, Amount: 1, Shadow: g.ShadowBudget || g.Shadow,
			Open: g.BudgetFail == budgetFailOpen, Named: d.Token == nil && d.Name != authmin.NameLocalhost,
		})
	}
	return claims
}

// What a budget is of; one of a scope also has the scope's name.
const (
	budgetOfToken = "token"
	budgetOfScope = "scope"
	budgetOfGuard = "guard"
)

// BudgetsOf returns the budgets that apply to the identity of a decision, each with what it is
// of: `token`, `scope NAME` or `guard`. The budgets of scopes and of the guard are given.
func BudgetsOf(d *authmin.Decision, scopes []ScopeBudget, guard []authmin.Budget) iter.Seq2[string, authmin.Budget] {
	return func(yield func(string, authmin.Budget) bool) {
		for _, b := range d.Budgets {
			if !yield(budgetOfToken, b) {
				return
			}
		}
		for _, b := range scopes {
			if slices.Contains(d.Scopes, b.Scope) && !yield(budgetOfScope+" "+string(b.Scope), b.Budget) {
				return
			}
		}
		for _, b := range guard {
			if !yield(budgetOfGuard, b) {
				return
			}
		}
	}
}

// includeTokens reports whether one of the budgets is of tokens.
func includeTokens(claims []budget.Claim) bool {
	return slices.ContainsFunc(claims, func(c budget.Claim) bool { return c.Budget.Unit == authmin.BudgetTokens })
}

func isOfTokens(b authmin.Budget) bool { return b.Unit == authmin.BudgetTokens }

// Interface guards
var (
	_ caddy.Destructor = (*pooledLedger)(nil)
)
