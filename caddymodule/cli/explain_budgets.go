package cli

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// budgetsOf lists the budgets that a request of the caller is counted in, each with what it
// is of; "" for none.
func (s *settings) budgetsOf(d *authmin.Decision, g placedGuard) string {
	if !d.Allow || d.Public || d.Name == "" {
		return ""
	}
	var list []string
	for _, b := range d.Budgets {
		list = append(list, b.Words()+" (token)")
	}
	for _, b := range s.App.Budgets {
		if slices.Contains(d.Scopes, b.Scope) {
			list = append(list, b.Budget.Words()+" (scope "+string(b.Scope)+")")
		}
	}
	for _, b := range g.Budgets {
		list = append(list, b.Words()+" (guard)")
	}
	if len(list) > 0 && g.ShadowBudget {
		list = append(list, "shadow_budget: they refuse nothing")
	}
	return strings.Join(list, ", ")
}
