package caddymodule

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/llorch/gateway/caddymodule/budget"
	"github.com/llorch/gateway/integration/testkit"
)

func TestABudgetIsNearlySpentFromNineTenths(t *testing.T) {
	for _, c := range []struct {
		used, limit int64
		want        string
	}{
		{89, 100, usedPart}, {90, 100, usedNearly}, {99, 100, usedNearly}, {100, 100, usedAll}, {150, 100, usedAll},
		{1, 2, usedPart}, {1, 1, usedAll}, {math.MaxInt64 - 1, math.MaxInt64, usedNearly},
	} {
		if got := howFar(budget.Count{Used: c.used, Limit: c.limit}); got != c.want {
			t.Errorf("%d of %d: got %s, want %s", c.used, c.limit, got, c.want)
		}
	}
}

// The gauges have budgets of the present window, none that only counts, and whether they
// can be written.
func TestTheStateOfBudgetsIsAMetric(t *testing.T) {
	global := budgeted(t, "budget 1 requests per day", "budget 20 requests per month")
	g := serve(t, false, global, `
	handle /trial {
		authmin trial {
			require infer /trial
			budget 1 requests per hour
			shadow_budget
		}
		respond ok
	}
	route {
		authmin state {
			public GET /metrics
			require infer /*
			budget 10 requests per month
		}
		metrics /metrics
		respond ok
	}
`)
	expect := func(lines ...string) {
		t.Helper()
		testkit.Eventually(t, strings.Join(lines, ", "), func() bool {
			_, body := g.ask(t, plainClient(), "GET", "/metrics")
			for _, line := range lines {
				if !strings.Contains(body, "\n"+line+"\n") {
					return false
				}
			}
			return true
		})
	}
	none := []string{`caddy_authmin_budgets{used="all"} 0`, `caddy_authmin_budgets{used="nearly"} 0`, `caddy_authmin_budgets{used="part"} 0`, "caddy_authmin_budget_journals_unwritable 0"}
	expect(none...)
	for _, path := range []string{"/x", "/trial", "/trial"} {
		if got := statusOf(t, g, path, asUser); got != 200 {
			t.Fatalf("%s: got %d", path, got)
		}
	}
	expect(`caddy_authmin_budgets{used="all"} 1`, `caddy_authmin_budgets{used="part"} 2`)
	_, rest, _ := strings.Cut(global, "state_dir ")
	dir, _, _ := strings.Cut(rest, "\n")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expect("caddy_authmin_budget_journals_unwritable 1")
}
