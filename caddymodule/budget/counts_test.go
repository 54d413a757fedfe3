package budget

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
)

// A count has the key of its claims, and is of the present window: what is over its limit
// of the window before is a debt, and nothing is left of any other one.
func TestCountsAreThoseOfThePresentWindow(t *testing.T) {
	c := new(clock)
	l := newLedger(t, t.TempDir(), c)
	shadow := claim("guard edge alice", "5requests/hour", 1)
	shadow.Shadow = true
	reserve(t, l, claim("token alice", "100tokens/day", 90), claim("scope infer alice", "9requests/hour", 1), shadow)
	reserve(t, l, claim("token bob", "10tokens/hour", 10)).Settle(15)
	day, hour := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC)
	alice := Count{"token alice", authmin.BudgetTokens, authmin.BudgetDay, 90, 100, day, false}
	expectCounts(t, l,
		Count{"guard edge alice", authmin.BudgetRequests, authmin.BudgetHour, 1, 5, hour, true},
		Count{"scope infer alice", authmin.BudgetRequests, authmin.BudgetHour, 1, 9, hour, false},
		alice,
		Count{"token bob", authmin.BudgetTokens, authmin.BudgetHour, 15, 10, hour, false},
	)
	c.at = c.at.Add(time.Hour)
	expectCounts(t, l, alice, Count{"token bob", authmin.BudgetTokens, authmin.BudgetHour, 5, 10, hour.Add(time.Hour), false})
}

func expectCounts(t *testing.T, l *Ledger, want ...Count) {
	t.Helper()
	var got []Count
	l.EachCount(func(c Count) { got = append(got, c) })
	slices.SortFunc(got, func(a, b Count) int { return strings.Compare(a.Key, b.Key) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// A directory that was deleted is noticed without a request, and so is its return.
func TestAJournalThatCannotBeWrittenIsKnown(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t, dir, new(clock))
	reserve(t, l, claim("token alice", "9requests/day", 1)).Charge()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, writable := range []bool{false, true} {
		if _ = l.tick(); l.IsWritable() != writable {
			t.Errorf("writable: %v, want %v", !writable, writable)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}
