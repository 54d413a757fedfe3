package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// budgetHolder is a token with budgets of its own.
type budgetHolder struct {
	name    string
	scopes  []authmin.Scope
	budgets []authmin.Budget
}

// lintBudgets warns of budgets that have no effect, that no request is counted in, and that
// are charged for tokens at a guard that has no figures of them.
func lintBudgets(s *settings) []finding {
	guards, err := guardsOf(s)
	if err != nil {
		return nil // lintGuards has reported it
	}
	now := time.Now()
	holders := s.budgetHolders(now)
	findings := s.lintIdleBudgets(guards, holders)
	findings = append(findings, s.lintScopeBudgets(now)...)
	return append(findings, s.lintUncounted(guards, holders)...)
}

// budgetHolders are the tokens with budgets, of the configuration and of keyring files.
func (s *settings) budgetHolders(now time.Time) (list []budgetHolder) {
	for _, source := range s.App.Tokens {
		if len(source.Budgets) > 0 {
			list = append(list, budgetHolder{source.Name, source.Scopes, source.Budgets})
		}
	}
	s.eachKeyringToken(now, func(t *authmin.Token) {
		if len(t.Budgets) > 0 {
			list = append(list, budgetHolder{t.Name, t.Scopes, t.Budgets})
		}
	})
	return list
}

// periods are in the order of their length.
var periods = []authmin.BudgetPeriod{authmin.BudgetHour, authmin.BudgetDay, authmin.BudgetMonth}

// covers reports whether a budget is always spent before another one that the same requests
// are counted in. A hard one of tokens ends streams that the first one lets go on.
func covers(first, other authmin.Budget) bool {
	return first.Unit == other.Unit && first.Amount <= other.Amount && slices.Index(periods, first.Period) >= slices.Index(periods, other.Period) && (first.Hard || !other.Hard)
}

// lintIdleBudgets reports budgets that another one makes superfluous.
func (s *settings) lintIdleBudgets(guards []placedGuard, holders []budgetHolder) (findings []finding) {
	idle := newGrouped()
	for _, h := range holders {
		for i, b := range h.budgets {
			for j, other := range h.budgets {
				if i != j && covers(other, b) {
					idle.add(fmt.Sprintf("the budget %s of %%s has no effect: its budget %s is spent first", b.Words(), other.Words()), h.name)
				}
			}
			for _, other := range s.App.Budgets {
				if slices.Contains(h.scopes, other.Scope) && covers(other.Budget, b) {
					idle.add(fmt.Sprintf("the budget %s of %%s has no effect: the budget %s of scope %s is spent first", b.Words(), other.Budget.Words(), other.Scope), h.name)
				}
			}
		}
	}
	findings = append(findings, idle.findings(s)...)
	for i, b := range s.App.Budgets {
		for j, other := range s.App.Budgets {
			if i != j && b.Scope == other.Scope && covers(other.Budget, b.Budget) {
				findings = append(findings, finding{at: s.placeOfBudget(b.Scope), warning: true,
					text: fmt.Sprintf("the budget %s of scope %s has no effect: its budget %s is spent first", b.Budget.Words(), b.Scope, other.Budget.Words())})
			}
		}
	}
	for _, g := range guards {
		for i, b := range g.Budgets {
			for j, other := range g.Budgets {
				if i != j && covers(other, b) {
					findings = append(findings, finding{at: g.at, warning: true,
						text: fmt.Sprintf("guard %s: the budget %s has no effect: %s is spent first", g.Name, b.Words(), other.Words())})
				}
			}
		}
	}
	return findings
}

// lintScopeBudgets reports budgets of scopes that no identity holds.
func (s *settings) lintScopeBudgets(now time.Time) (findings []finding) {
	h := holdersOf(s, now)
	if len(h.unread) > 0 {
		return nil // lintScopes has reported it
	}
	for _, b := range s.App.Budgets {
		if !h.has(b.Scope) && !s.mayBypass(b.Scope) {
			findings = append(findings, finding{at: s.placeOfBudget(b.Scope), warning: true,
				text: fmt.Sprintf("no token holds scope %s, so that no request is counted in its budget %s; give the scope to a token, or correct the budget", b.Scope, b.Budget.Words())})
		}
	}
	return findings
}

// mayBypass reports whether requests of this machine may have a scope without a token: with
// `optional` they have each shipped scope. A placeholder's value is that of the gateway's
// environment, and may be true.
func (s *settings) mayBypass(scope authmin.Scope) bool {
	on, err := authmin.ParseOptional(s.App.Optional)
	return (on || err != nil) && slices.Contains(authmin.AllScopes(), scope)
}

// lintUncounted reports guards where a budget of tokens is charged what requests reserve,
// and budgets of tokens that no request costs any.
func (s *settings) lintUncounted(guards []placedGuard, holders []budgetHolder) (findings []finding) {
	free := newGrouped()
	charged := make([][]string, len(guards))
	note := func(name string, scopes []authmin.Scope) {
		costs := false
		for i := range guards {
			if !s.costsTokens(guards[i], scopes) {
				continue
			}
			costs = true
			if guards[i].Usage == nil && len(charged[i]) <= maxListed {
				charged[i] = append(charged[i], name)
			}
		}
		if !costs && len(guards) > 0 {
			free.add("the budget of tokens of %s is never charged: every route that it may use is in model_free or only read (GET)", strings.TrimPrefix(name, "token "))
		}
	}
	for _, h := range holders {
		if slices.ContainsFunc(h.budgets, isOfTokens) {
			note("token "+h.name, h.scopes)
		}
	}
	for _, b := range s.App.Budgets {
		for i := range guards {
			name := "scope " + string(b.Scope)
			if isOfTokens(b.Budget) && guards[i].Usage == nil && s.costsTokens(guards[i], []authmin.Scope{b.Scope}) && len(charged[i]) <= maxListed && !slices.Contains(charged[i], name) {
				charged[i] = append(charged[i], name)
			}
		}
	}
	for i, names := range charged {
		if len(names) > 0 {
			findings = append(findings, finding{at: guards[i].at, warning: true,
				text: fmt.Sprintf("guard %s has no usage, so that each request is charged all that it reserves from the budget of tokens of %s: write `usage` into it", guards[i].Name, listOf(names))})
		}
	}
	return append(findings, free.findings(s)...)
}

// costsTokens reports whether a holder of scopes has a route at a guard that reserves tokens.
func (s *settings) costsTokens(g placedGuard, scopes []authmin.Scope) bool {
	models, err := g.ModelRoutes()
	if err != nil || g.TokenOnly {
		return false // it does not start, or is that of a page
	}
	super := !s.App.PlainAdmin() && slices.Contains(scopes, authmin.ScopeAdmin)
	for _, rule := range g.Rules {
		if rule.Action != "require" || !super && !slices.ContainsFunc(rule.Scopes, func(scope authmin.Scope) bool { return slices.Contains(scopes, scope) }) {
			continue
		}
		methods := rule.Methods
		if len(methods) == 0 {
			methods = []string{http.MethodPost}
		}
		for _, method := range methods {
			if slices.Contains(readingMethods, method) {
				continue
			}
			for _, path := range rule.Paths {
				if _, isFree := models.Find(method, path); !isFree {
					return true
				}
			}
		}
	}
	return false
}

// readingMethods are those of requests that have no answer of a model.
var readingMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete}

func isOfTokens(b authmin.Budget) bool { return b.Unit == authmin.BudgetTokens }

// placeOfBudget is the line of a scope's budget.
func (s *settings) placeOfBudget(scope authmin.Scope) position {
	found := position{file: s.file}
	s.eachStatement(func(st *statement, words []string) {
		if found.line == 0 && len(words) > 1 && words[0] == "budget" && words[1] == string(scope) {
			found = st.at
		}
	})
	return found
}

// grouped are findings that are the same for several tokens, in the order of their coming.
type grouped struct {
	texts []string // with %s for the tokens
	names map[string][]string
}

func newGrouped() *grouped { return &grouped{names: map[string][]string{}} }

func (g *grouped) add(text, holder string) {
	if g.names[text] == nil {
		g.texts = append(g.texts, text)
	}
	if name := "token " + holder; len(g.names[text]) <= maxListed && !slices.Contains(g.names[text], name) {
		g.names[text] = append(g.names[text], name)
	}
}

// findings are placed at the first token, or at the keyring files.
func (g *grouped) findings(s *settings) (findings []finding) {
	for _, text := range g.texts {
		at := s.placeOf(g.names[text][0])
		if at.line == 0 {
			at = s.placeOfOption("token_file")
		}
		findings = append(findings, finding{at: at, warning: true, text: fmt.Sprintf(text, listOf(g.names[text]))})
	}
	return findings
}

// listOf are names as words of a finding: the first ones, and `others`.
func listOf(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + ", others"
	}
	return strings.Join(names, ", ")
}
