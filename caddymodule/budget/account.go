package budget

import (
	"time"

	"github.com/llorch/gateway/authmin"
)

// account is one budget of one identity: what it used in the window, and what its requests
// in progress have reserved of it.
type account struct {
	key     string
	period  authmin.BudgetPeriod
	window  int64 // the beginning, as Unix time; it never goes backwards
	used    int64 // settled, and the debt of the window before
	open    int64 // reserved by requests in progress, in this window
	limit   int64 // the largest that a claim named in this window
	changed bool  // since a replacement of the journal began: it is in Ledger.changed
	dirty   bool  // the journal has an older count: it is in Ledger.unwritten
	named   bool  // by a proxy: see Claim.Named
	holders int   // reservations that have not ended
}

// total is what the journal keeps: after a crash, what was reserved is used.
func (a *account) total() int64 { return Add(a.used, a.open) }

// left is what can be reserved of a budget.
func (a *account) left(limit int64) int64 { return max(0, limit-a.total()) }

// roll begins the window of a time, if that is a later one. What the last window used
// beyond its limit is used of this one. What is reserved was the last window's.
func (a *account) roll(at time.Time) {
	start, _ := Window(a.period, at)
	if start.Unix() <= a.window {
		return
	}
	passed := windowsBetween(a.period, time.Unix(a.window, 0).UTC(), start)
	a.used = max(0, a.total()-Multiply(a.limit, passed))
	a.window, a.open, a.limit = start.Unix(), 0, 0
}

// isIdle reports whether a new account would be the same one at a time: its window is over,
// and it has no debt and no request that may still make one.
func (a *account) isIdle(at time.Time) bool {
	start, _ := Window(a.period, at)
	if start.Unix() <= a.window || a.dirty || a.holders > 0 {
		return false
	}
	passed := windowsBetween(a.period, time.Unix(a.window, 0).UTC(), start)
	return a.total() <= Multiply(a.limit, passed)
}

// end is when the next window begins.
func (a *account) end() time.Time {
	_, end := Window(a.period, time.Unix(a.window, 0))
	return end
}

// State is a budget of an identity as it is now.
type State struct {
	Budget authmin.Budget
	Used   int64         // what is settled and what is reserved, in Budget.Unit
	Left   int64         // what can be reserved; 0 with a debt
	Reset  time.Time     // when the next window begins
	In     time.Duration // until then, by the ledger's clock
}

func (a *account) state(b authmin.Budget, at time.Time) State {
	return State{Budget: b, Used: a.total(), Left: a.left(b.Amount), Reset: a.end(), In: a.end().Sub(at)}
}
