package caddymodule

import (
	"path/filepath"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/authmin"
)

// addBudget adds a budget that is written as words to those before it.
func addBudget(list []authmin.Budget, words []string) ([]authmin.Budget, error) {
	b, err := authmin.ParseBudgetWords(words)
	if err != nil {
		return nil, err
	}
	list = append(slices.Clip(list), b)
	return list, authmin.CheckBudgets(list)
}

// parseBudget reads the global options about budgets:
//
//	budget    <scope> <n> tokens|requests per hour|day|month [hard]
//	state_dir <absolute path>
func (a *App) parseBudget(d *caddyfile.Dispenser, option string, args []string) error {
	if option == "state_dir" {
		if len(args) != 1 || !filepath.IsAbs(args[0]) {
			return d.Errf("%v", errStateDir)
		}
		a.StateDir = args[0]
		return nil
	}
	if len(args) == 0 {
		return d.Err("want budget SCOPE N tokens|requests per hour|day|month [hard], such as `budget infer 2M tokens per day`")
	}
	scopes, err := authmin.ParseScopes(args[0])
	if err != nil || len(scopes) != 1 {
		return d.Err("budget: a scope comes first, such as `budget infer 2M tokens per day`; a budget of one token goes in its block, and one of a guard in the guard")
	}
	var own []authmin.Budget
	for _, b := range a.Budgets {
		if b.Scope == scopes[0] {
			own = append(own, b.Budget)
		}
	}
	own, err = addBudget(own, args[1:])
	if err != nil {
		return d.Errf("budget %s: %v", scopes[0], err)
	}
	a.Budgets = append(a.Budgets, ScopeBudget{scopes[0], own[len(own)-1]})
	return nil
}

// parseBudget reads the options of a guard about budgets:
//
//	budget         <n> tokens|requests per hour|day|month [hard]
//	budget_reserve <tokens>
//	budget_fail    open
//	shadow_budget
func (g *Guard) parseBudget(d *caddyfile.Dispenser, option string, args []string) (err error) {
	switch option {
	case "budget":
		if g.Budgets, err = addBudget(g.Budgets, args); err != nil {
			return d.Errf("budget: %v", err)
		}
	case "budget_reserve":
		if len(args) == 1 {
			g.BudgetReserve, err = strconv.ParseInt(args[0], 10, 64)
		}
		if err != nil || g.BudgetReserve < 1 || g.BudgetReserve > largestBudgetReserve {
			return d.Errf("%v", errBudgetReserve)
		}
	case "budget_fail":
		if len(args) != 1 || args[0] != budgetFailOpen {
			return d.Errf("%v", errBudgetFail)
		}
		g.BudgetFail = budgetFailOpen
	default:
		if len(args) != 0 {
			return d.Errf("%s takes no value", option)
		}
		g.ShadowBudget = true
	}
	return nil
}
