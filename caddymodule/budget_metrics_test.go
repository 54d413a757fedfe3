package caddymodule

import (
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/budget"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The metric of what is spent has what the ledger charged, and nothing of what it gave back.
func TestTheMetricOfBudgetsIsWhatWasCharged(t *testing.T) {
	ledger := budget.New(budget.Options{Directory: t.TempDir()})
	t.Cleanup(func() {
		if err := ledger.Stop(); err != nil {
			t.Error(err)
		}
	})
	claims := []budget.Claim{
		{Key: "token few", Budget: authmin.Budget{Amount: 1000, Unit: authmin.BudgetTokens, Period: authmin.BudgetDay}, Amount: 100},
		{Key: "token few", Budget: authmin.Budget{Amount: 10, Unit: authmin.BudgetRequests, Period: authmin.BudgetDay}, Amount: 1},
	}
	for name, c := range map[string]struct {
		end              func(*budget.Reservation)
		tokens, requests float64
	}{
		"settled":   {func(r *budget.Reservation) { r.Settle(30) }, 30, 1},
		"no tokens": {func(r *budget.Reservation) { r.Settle(0) }, 0, 1},
		"cancelled": {func(r *budget.Reservation) { r.Cancel() }, 0, 0},
		"left open": {func(*budget.Reservation) {}, 100, 1},
	} {
		t.Run(name, func(t *testing.T) {
			reservation, err := ledger.Reserve(claims)
			if err != nil {
				t.Fatal(err)
			}
			spent := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "spent"}, []string{"guard", "identity", "unit"})
			s := &requestState{reservation: reservation, cost: new(requestCost), spender: "few", spending: &budgetMetrics{guard: "edge", spent: spent, identities: new(identityTables).of("edge", 1)}}
			c.end(reservation)
			s.endBudgets()
			for unit, want := range map[authmin.BudgetUnit]float64{authmin.BudgetTokens: c.tokens, authmin.BudgetRequests: c.requests} {
				if got := testutil.ToFloat64(spent.WithLabelValues("edge", "few", string(unit))); got != want {
					t.Errorf("%v %s are spent, want %v", got, unit, want)
				}
			}
		})
	}
}
