package budget

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is the time of a test.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) set(t *testing.T, text string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	c.at = at
}

// newLedger starts a ledger in a directory, at noon of a day.
func newLedger(t *testing.T, dir string, c *clock) *Ledger {
	t.Helper()
	if c.at.IsZero() {
		c.set(t, "2026-11-30T12:00:00Z")
	}
	l := New(Options{Directory: dir, Now: c.now})
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, l) })
	return l
}

func stop(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Stop(); err != nil {
		t.Error(err)
	}
	l.journal = nil
}

// abandon leaves a ledger as a crash does: nothing more is written, and the lock is free.
func abandon(t *testing.T, l *Ledger) {
	t.Helper()
	close(l.stop)
	<-l.stopped
	_ = l.journal.f.Close()
	_ = l.journal.lock.Close()
	l.journal, l.ended = nil, true
}

func claim(key, text string, amount int64) Claim {
	b, err := authmin.ParseBudget(text)
	if err != nil {
		panic(err)
	}
	return Claim{Key: key, Budget: b, Amount: amount}
}

func reserve(t *testing.T, l *Ledger, claims ...Claim) *Reservation {
	t.Helper()
	r, err := l.Reserve(claims)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func expectSpent(t *testing.T, l *Ledger, claims ...Claim) *SpentError {
	t.Helper()
	_, err := l.Reserve(claims)
	spent, ok := errors.AsType[*SpentError](err)
	if !ok {
		t.Fatalf("got %v, want a spent budget", err)
	}
	return spent
}

func expectUsed(t *testing.T, l *Ledger, c Claim, want int64) {
	t.Helper()
	if got := l.States([]Claim{c})[0].Used; got != want {
		t.Errorf("%s has used %d, want %d", c.account(), got, want)
	}
}

func contentOf(t *testing.T, dir string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
