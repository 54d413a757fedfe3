package caddymodule

import (
	"github.com/llorch/gateway/caddymodule/budget"
	"github.com/prometheus/client_golang/prometheus"
)

// The label `used` of a budget in its window. A budget is nearly spent from nine tenths.
const (
	usedPart   = "part"
	usedNearly = "nearly"
	usedAll    = "all"
)

// budgetState is the collector of what the ledgers of this process hold now: how many
// budgets are used how far, without a name of an identity, and whether they can be written.
type budgetState struct{ counts, unwritable *prometheus.Desc }

func newBudgetState() *budgetState {
	return &budgetState{
		counts:     prometheus.NewDesc("caddy_authmin_budgets", "Budgets of identities that were used in their present window, by how far: part, nearly (from 90 %) or all. Budgets that only count are left out.", []string{"used"}, nil),
		unwritable: prometheus.NewDesc("caddy_authmin_budget_journals_unwritable", "Files of the counts of budgets that cannot be written now.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c *budgetState) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.counts
	descriptions <- c.unwritable
}

// Collect implements [prometheus.Collector].
func (c *budgetState) Collect(metrics chan<- prometheus.Metric) {
	counts, unwritable := map[string]int{usedPart: 0, usedNearly: 0, usedAll: 0}, 0
	ledgers.Range(func(_, value any) bool {
		ledger := value.(*pooledLedger)
		if !ledger.IsWritable() {
			unwritable++
		}
		ledger.EachCount(func(count budget.Count) {
			if !count.Shadow {
				counts[howFar(count)]++
			}
		})
		return true
	})
	for used, n := range counts {
		metrics <- prometheus.MustNewConstMetric(c.counts, prometheus.GaugeValue, float64(n), used)
	}
	metrics <- prometheus.MustNewConstMetric(c.unwritable, prometheus.GaugeValue, float64(unwritable))
}

// howFar is the label of a count.
func howFar(c budget.Count) string {
	switch {
	case c.Used >= c.Limit:
		return usedAll
	case c.Limit-c.Used <= c.Limit/10: // so written, it cannot overflow
		return usedNearly
	}
	return usedPart
}

// Interface guards
var _ prometheus.Collector = (*budgetState)(nil)
