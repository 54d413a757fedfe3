package caddymodule

import (
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/usage"
)

// believedFactor is how many times the reservation the figures of an upstream may be. The
// ledger has the same bound.
const believedFactor = 10

// countCall settles the budgets of a call with its figures. While it streams it reserves
// more, and ends a stream for which a hard budget has no more.
func (g *Guard) countCall(s *requestState, d *authmin.Decision, c *usageCall) {
	if s.reservation == nil || s.cost == nil {
		return
	}
	c.most = min(usage.MaxFigure, saturatedProduct(believedFactor, s.reserved))
	c.progress = func(seen int64) *authmin.Problem {
		for seen > s.granted {
			more := s.reservation.Extend(g.BudgetReserve)
			if more == 0 {
				g.budgetMetrics.refuse(d.Name, authmin.BudgetTokens)
				return &problemStreamSpent
			}
			s.granted = saturatedSum(s.granted, more)
			c.most = min(usage.MaxFigure, saturatedSum(c.most, saturatedProduct(believedFactor, more)))
		}
		return nil
	}
	c.ended = func(result usageResult) {
		switch {
		case result.replayed: // it was counted before
			s.reservation.Cancel()
		case result.estimated: // unreported or cut, and what the upstream still does
			s.reservation.Charge()
		default:
			s.reservation.Settle(result.Input + result.Output)
		}
	}
}

// problemStreamSpent ends a stream whose hard budget has no token left.
var problemStreamSpent = func() authmin.Problem {
	p := authmin.ProblemBudgetSpent
	p.Message = p.Title + ", and the stream ends here."
	return p
}()
