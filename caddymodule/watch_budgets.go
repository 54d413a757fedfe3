package caddymodule

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/caddymodule/budget"
)

// ofGuard is the level of a guard's budget, in lists.
const ofGuard = "guard"

// budgetList is the list of budgets that was made last: a page asks every few seconds, and
// all pages share one reading of the ledger.
type budgetList struct {
	mu    sync.Mutex
	app   *App
	at    time.Time
	list  []WatchedBudget
	total int
}

// budgetListAge is how old a list of budgets may be that a page is sent.
const budgetListAge = 2 * time.Second

// WatchedBudgets returns at most limit budgets of all identities that were used in their
// present window, those that are used most of their amount first, and how many there are.
func (a *App) WatchedBudgets(limit int) (list []WatchedBudget, total int) {
	l := &a.watched.budgets
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.app != a || len(l.list) < min(limit, l.total) || now.Sub(l.at) > budgetListAge {
		l.app, l.at = a, now
		l.list, l.total = a.mostUsed(limit)
	}
	return l.list[:min(len(l.list), limit)], l.total
}

// mostUsed reads the ledger. It keeps no more than twice the limit.
func (a *App) mostUsed(limit int) (list []WatchedBudget, total int) {
	if a.ledger == nil {
		return nil, 0
	}
	var counts []budget.Count
	most := func() {
		slices.SortFunc(counts, func(a, b budget.Count) int {
			return cmp.Or(-cmp.Compare(share(a), share(b)), strings.Compare(a.Key, b.Key), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Period, b.Period))
		})
		counts = counts[:min(len(counts), limit)]
	}
	least := 0.0
	a.ledger.EachCount(func(c budget.Count) {
		if total++; share(c) < least {
			return
		}
		if counts = append(counts, c); len(counts) == 2*limit {
			most()
			least = share(counts[limit-1])
		}
	})
	most()
	for _, c := range counts {
		identity, of := identityAndOf(c.Key)
		list = append(list, WatchedBudget{identity, meBudget{
			Of: of, Amount: c.Limit, Unit: c.Unit, Period: c.Period, Shadow: c.Shadow,
			Used: c.Used, Left: max(0, c.Limit-c.Used), Resets: c.Reset.UTC().Format(time.RFC3339),
		}})
	}
	return list, total
}

// share is how much of a budget is used.
func share(c budget.Count) float64 { return float64(c.Used) / float64(c.Limit) }

// identityAndOf splits the key of a count, as claimsOf makes it. No name has a space.
func identityAndOf(key string) (identity, of string) {
	at := strings.LastIndexByte(key, ' ')
	return key[at+1:], key[:max(at, 0)]
}
