package caddymodule

import (
	"strconv"

	"github.com/llorch/gateway/authmin"
	"github.com/prometheus/client_golang/prometheus"
)

// budgetMetrics are those of one guard. The first identities have labels, as those of the
// metrics of usage.
type budgetMetrics struct {
	guard          string
	spent, refused *prometheus.CounterVec
	unavailable    prometheus.Counter
	identities     *identityTable
}

// refuse counts a request that a spent budget refused, or a stream that it ended; where it
// is not enforced, one that it would have.
func (m *budgetMetrics) refuse(identity string, unit authmin.BudgetUnit, enforced bool) {
	m.refused.WithLabelValues(m.guard, m.identities.label(identity), string(unit), strconv.FormatBool(enforced)).Inc()
}

// countOver counts, once for a request, that a budget which only counts has too little left.
func (g *Guard) countOver(s *requestState, identity string) {
	over := s.reservation.Over()
	if over == nil || s.counted {
		return
	}
	s.counted = true
	g.budgetMetrics.refuse(identity, over.Claim.Budget.Unit, false)
}

// endBudgets charges what a request has reserved, unless it was settled before.
func (s *requestState) endBudgets() {
	if s.reservation == nil {
		return
	}
	s.reservation.Charge()
	m, label := s.spending, s.spending.identities.label(s.spender)
	for _, unit := range []authmin.BudgetUnit{authmin.BudgetTokens, authmin.BudgetRequests} {
		if spent := s.reservation.Spent(unit); spent > 0 {
			m.spent.WithLabelValues(m.guard, label, string(unit)).Add(float64(spent))
		}
	}
	s.reservation = nil
}

// cancelBudgets gives back what was reserved for a request that is not forwarded.
func (s *requestState) cancelBudgets() {
	if s.reservation != nil {
		s.reservation.Cancel()
		s.reservation = nil
	}
}
