package budget

import (
	"errors"
	"time"

	"github.com/llorch/gateway/authmin"
)

// compactAbove is the size from which a journal is replaced by one with a line for each
// count, when it has grown by compactFactor since it was replaced last.
const (
	compactAbove  = 16 << 20
	compactFactor = 4
)

// hasGrown reports whether a journal is so large that it is replaced, by its size in bytes
// and by the one it had when it was replaced last.
func hasGrown(size, replaced int64) bool {
	return size > compactAbove && size/compactFactor > replaced
}

// replace replaces the journal by one with a line for each account. Requests go on while
// the disk writes: the lock is held for a copy of the counts, and at the end for the lines
// of those that have changed since.
func (l *Ledger) replace() error {
	l.mu.Lock()
	j, at := l.journal, l.now()
	l.forgetIdle(at)
	counts := l.copyAccounts(at)
	l.replacing = true
	l.mu.Unlock()

	next, err := j.prepare(linesOf(nil, at, counts))

	l.mu.Lock()
	l.replacing = false
	if err == nil {
		err = j.take(next, linesOf(nil, l.now(), l.changed))
	}
	for _, a := range l.changed {
		a.changed = false
	}
	l.changed = nil
	if err == nil {
		l.clean()
	}
	size := j.size
	l.mu.Unlock()
	if err != nil {
		return err
	}

	if err := errors.Join(j.sync(next), j.syncDirectory()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced, l.replaced = size, size
	return nil
}

// copyAccounts returns copies of all accounts, at least one: a journal without a line would
// forget the time, and windows of forgotten accounts would begin again.
func (l *Ledger) copyAccounts(at time.Time) []*account {
	copies := make([]account, 0, len(l.accounts)+1)
	for _, a := range l.accounts {
		copies = append(copies, *a)
	}
	if len(copies) == 0 {
		copies = append(copies, clockAccount(at))
	}
	counts := make([]*account, len(copies))
	for i := range copies {
		counts[i] = &copies[i]
	}
	return counts
}

// linesOf adds the lines of accounts.
func linesOf(lines []byte, at time.Time, accounts []*account) []byte {
	for _, a := range accounts {
		lines = appendLine(lines, at, a)
	}
	return lines
}

// clockAccount is a count of nothing, whose line keeps the time.
func clockAccount(at time.Time) account {
	start, _ := Window(authmin.BudgetHour, at)
	return account{key: "clock " + string(authmin.BudgetTokens) + "/" + string(authmin.BudgetHour), period: authmin.BudgetHour, window: start.Unix()}
}
