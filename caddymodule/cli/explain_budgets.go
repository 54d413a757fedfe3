package cli

import (
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// budgetsOf lists the budgets that a request of the caller is counted in, each with what it
// is of; "" for none.
func (s *settings) budgetsOf(d *authmin.Decision, g placedGuard) string {
	if !d.Allow || d.Public || d.Name == "" {
		return ""
	}
	var list []string
	for of, b := range caddymodule.BudgetsOf(d, s.App.Budgets, g.Budgets) {
		list = append(list, b.Words()+" ("+of+")")
	}
	if len(list) > 0 && g.ShadowBudget {
		list = append(list, "shadow_budget: they refuse nothing")
	}
	return strings.Join(list, ", ")
}
