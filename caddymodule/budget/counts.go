package budget

import (
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Count is one budget of one identity in its present window.
type Count struct {
	Key    string // as that of its claims
	Unit   authmin.BudgetUnit
	Period authmin.BudgetPeriod
	Used   int64     // settled and reserved, in Unit
	Limit  int64     // the largest amount that a claim named in the window of the last claim
	Reset  time.Time // when the next window begins
	Shadow bool      // it is counted, and refuses nothing
}

// EachCount calls f for each count that is not zero, in no order. Requests with a budget
// wait meanwhile, so f must be fast; it must not call the ledger.
func (l *Ledger) EachCount(f func(Count)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	for _, held := range l.accounts {
		a := *held
		a.roll(at)
		if a.total() == 0 || held.limit == 0 {
			continue
		}
		key, of, _ := cutLast(a.key)
		unit, period, _ := strings.Cut(of, "/")
		key, shadow := strings.CutPrefix(key, shadowKey)
		f(Count{
			Key: key, Unit: authmin.BudgetUnit(unit), Period: authmin.BudgetPeriod(period),
			Used: a.total(), Limit: held.limit, Reset: a.end(), Shadow: shadow,
		})
	}
}

// cutLast cuts a text at its last space.
func cutLast(text string) (before, after string, found bool) {
	at := strings.LastIndexByte(text, ' ')
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+1:], true
}

// IsWritable reports whether the last attempt to write the journal succeeded. It is made
// once a second. A ledger that is not open is writable.
func (l *Ledger) IsWritable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken == nil
}
