package caddymodule

import (
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/usage"
	"github.com/llorch/gateway/caddymodule/budget"
)

// believedFactor is how many times the reservation, or what such a request usually takes,
// the figures of an upstream may be. Higher ones are an error of the upstream, or an attack
// on the next window: the bound is charged.
const believedFactor = 10

// countCall settles the budgets of a call with its figures. While it streams it reserves
// more, and ends a stream for which a hard budget has no more.
func (g *Guard) countCall(s *requestState, d *authmin.Decision, c *usageCall) {
	if s.reservation == nil || s.cost == nil {
		return
	}
	c.believable = max(1, min(usage.MaxFigure, budget.Multiply(believedFactor, s.usual)))
	first, most := s.granted, c.believable
	c.onOutput = func(seen, texts int64) *authmin.Problem {
		seen = max(texts, min(seen, c.believable))
		// Only text moves the bound: a figure would move the one that judges it.
		c.believable = min(usage.MaxFigure, budget.Add(most, budget.Multiply(believedFactor, max(0, texts-first))))
		if seen <= s.granted {
			return nil
		}
		steps := (seen-s.granted-1)/g.BudgetReserve + 1
		s.granted = budget.Add(s.granted, s.reservation.Extend(budget.Multiply(steps, g.BudgetReserve)))
		g.countOver(s, d.Name)
		if seen <= s.granted {
			return nil
		}
		g.budgetMetrics.refuse(d.Name, authmin.BudgetTokens, true)
		return &problemStreamSpent
	}
	c.onEnd = func(result usageResult) {
		tokens := budget.Add(result.Input, result.Output)
		if result.bound > 0 {
			tokens = result.bound
		}
		switch {
		case result.replayed: // the first call paid its figures, or what this one has reserved
			s.reservation.Settle(max(0, tokens-s.reserved))
		case result.outcome == outcomeUnreported && s.noOutput:
			s.reservation.Settle(0)
		case result.estimated && result.bound == 0: // unreported or cut, and what the upstream still does
			s.reservation.Charge()
		default:
			s.reservation.Settle(tokens)
		}
	}
}

// problemStreamSpent ends a stream whose hard budget has no token left.
var problemStreamSpent = func() authmin.Problem {
	p := authmin.ProblemBudgetSpent
	p.Message = p.Title + ", and the stream ends here."
	return p
}()
