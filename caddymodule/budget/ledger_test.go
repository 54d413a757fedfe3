package budget

import (
	"errors"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

func TestWindowsBeginInUTC(t *testing.T) {
	east := time.FixedZone("east", 14*3600)
	for _, c := range []struct {
		period     authmin.BudgetPeriod
		at         string
		start, end string
	}{
		{authmin.BudgetHour, "2026-11-30T23:59:59Z", "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"},
		{authmin.BudgetDay, "2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
		{authmin.BudgetMonth, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339, c.at)
		start, end := Window(c.period, at.In(east))
		if start.Format(time.RFC3339) != c.start || end.Format(time.RFC3339) != c.end {
			t.Errorf("%s of %s: %s to %s, want %s to %s", c.period, c.at, start, end, c.start, c.end)
		}
	}
}

func TestParallelRequestsDoNotOverrunABudget(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	c := claim("alice", "100requests/day", 1)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if r, err := l.Reserve([]Claim{c}); err == nil {
				allowed.Add(1)
				r.Settle(0)
			}
		})
	}
	wg.Wait()
	if got := allowed.Load(); got != 100 {
		t.Errorf("%d of 200 requests were allowed, want 100", got)
	}
	expectUsed(t, l, c, 100)
}

func TestAllBudgetsAreReservedOrNone(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	wide, narrow := claim("alice", "100ktokens/day", 3000), claim("edge alice", "5ktokens/hour", 3000)
	reserve(t, l, wide, narrow)
	spent := expectSpent(t, l, wide, narrow)
	if spent.Claim.Key != narrow.Key || spent.State.Left != 2000 || spent.State.Reset.Format(time.Kitchen) != "1:00PM" {
		t.Errorf("got %+v", spent)
	}
	expectUsed(t, l, wide, 3000)
	expectUsed(t, l, narrow, 3000)
}

func TestWhatWasUsedReplacesTheReservation(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*Reservation)
		want int64
	}{
		"less":        {func(r *Reservation) { r.Settle(10) }, 10},
		"nothing":     {func(r *Reservation) { r.Settle(0) }, 0},
		"more":        {func(r *Reservation) { r.Settle(1001) }, 1001},
		"all counts":  {func(r *Reservation) { r.Settle(math.MaxInt64) }, math.MaxInt64},
		"negative":    {func(r *Reservation) { r.Settle(-1) }, 100},
		"charged":     {func(r *Reservation) { r.Charge() }, 100},
		"cancelled":   {func(r *Reservation) { r.Cancel() }, 0},
		"ended twice": {func(r *Reservation) { r.Settle(7); r.Charge() }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, t.TempDir(), new(clock))
			tokens, requests := claim("alice", "100ktokens/day", 100), claim("alice", "10requests/day", 1)
			r := reserve(t, l, tokens, requests)
			c.end(r)
			expectUsed(t, l, tokens, c.want)
			if name != "cancelled" {
				expectUsed(t, l, requests, 1)
			}
		})
	}
}

func TestADebtReducesTheNextWindows(t *testing.T) {
	c := &clock{}
	l := newLedger(t, t.TempDir(), c)
	day := claim("alice", "1ktokens/day", 900)
	r := reserve(t, l, day)
	if got := r.Extend(1700); got != 1700 {
		t.Errorf("extended by %d, want 1700: the budget is not hard", got)
	}
	r.Settle(3500)
	expectSpent(t, l, day)
	c.set(t, "2026-12-01T00:00:00Z")
	expectUsed(t, l, day, 2500)
	c.set(t, "2026-12-03T00:00:00Z")
	expectUsed(t, l, day, 500)
	c.set(t, "2026-12-04T00:00:00Z")
	expectUsed(t, l, day, 0)
}

func TestAHardBudgetIsExtendedToItsEnd(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	hard, soft := claim("alice", "1ktokens/day/hard", 300), claim("edge alice", "1ktokens/day", 300)
	r := reserve(t, l, hard, soft)
	for _, want := range []int64{400, 300, 0} {
		if got := r.Extend(400); got != want {
			t.Errorf("extended by %d, want %d", got, want)
		}
	}
	expectUsed(t, l, hard, 1000)
	expectUsed(t, l, soft, 1000)
}

func TestAShadowBudgetOnlyCounts(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	shadow := claim("alice", "1ktokens/day/hard", 900)
	shadow.Shadow = true
	first := reserve(t, l, shadow)
	if got := first.Over(); got != nil {
		t.Errorf("the first request: %v", got)
	}
	second := reserve(t, l, shadow)
	if got := second.Over(); got == nil || got.Claim.Budget != shadow.Budget || got.Claim.Amount != 900 || got.State.Left != 100 {
		t.Errorf("the second request: got %+v, want a refusal with 100 of 900 left", got)
	}
	if got := second.Extend(500); got != 500 {
		t.Errorf("the second request is extended by %d, want 500", got)
	}
	expectUsed(t, l, shadow, 2300)
	if first.Extend(1); first.Over() == nil {
		t.Error("a stream for which nothing is left is not over a hard budget")
	}
}

// Of several budgets the one that is spent until the latest time would refuse.
func TestTheLatestOfShadowBudgetsWouldRefuse(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	var claims []Claim
	for _, text := range []string{"9requests/hour", "10tokens/month", "9tokens/hour"} {
		c := claim("alice", text, 20)
		c.Shadow = true
		claims = append(claims, c)
	}
	if got := reserve(t, l, claims...).Over(); got == nil || got.Claim.Budget != claims[1].Budget {
		t.Errorf("got %v, want %s", got, claims[1].Budget)
	}
	soft := claim("bob", "1ktokens/day", 900)
	soft.Shadow = true
	r := reserve(t, l, soft)
	if r.Extend(500); r.Over() != nil || r.Extend(500) != 500 || r.Over() != nil {
		t.Error("a stream is over a budget that goes into debt")
	}
}

// A shadow guard refuses nothing, and a request at it takes nothing of the others.
func TestAShadowBudgetIsApartAndReservesNoMoreThanItself(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	enforced := claim("alice", "1ktokens/day", 1<<62)
	shadow := enforced
	shadow.Shadow = true
	r := reserve(t, l, shadow)
	expectUsed(t, l, shadow, 1000)
	r.Charge()
	expectUsed(t, l, shadow, 1000)
	expectUsed(t, l, enforced, 0)
}

// A reservation that cannot be written gives back what it took, which is nothing of an
// account that is full.
func TestAFailedReservationGivesBackWhatItTook(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	c := claim("alice", "1ktokens/day", 1000)
	c.Shadow = true
	reserve(t, l, c).Extend(math.MaxInt64)
	working := l.journal.f
	broken, err := os.Open(os.DevNull) // cannot be written
	if err != nil {
		t.Fatal(err)
	}
	l.journal.f = broken
	if _, err := l.Reserve([]Claim{c}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	l.journal.f = working
	_ = broken.Close()
	expectUsed(t, l, c, math.MaxInt64)
}

// A stream that began before midnight is charged to both days, each token once.
func TestAReservationOfAnEarlierWindowIsUsedThere(t *testing.T) {
	c := &clock{}
	c.set(t, "2026-11-30T23:59:00Z")
	l := newLedger(t, t.TempDir(), c)
	day := claim("alice", "1ktokens/day", 600)
	r, small := reserve(t, l, day), claim("alice", "1ktokens/day", 100)
	short := reserve(t, l, small)
	c.set(t, "2026-12-01T00:00:30Z")
	expectUsed(t, l, day, 0)
	r.Extend(300)
	expectUsed(t, l, day, 300)
	short.Settle(50)
	r.Settle(700)
	expectUsed(t, l, day, 100)
}

func TestAClockThatJumpsBackGivesNothingTwice(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day := claim("alice", "1ktokens/day", 1000)
	reserve(t, l, day).Charge()
	c.set(t, "2026-12-01T12:00:00Z")
	reserve(t, l, day).Charge()
	c.set(t, "2026-11-30T13:00:00Z")
	expectSpent(t, l, day)
	stop(t, l)
	again := newLedger(t, dir, c)
	expectSpent(t, again, day)
	c.set(t, "2026-12-03T12:00:00Z")
	again.forgetIdle(again.now())
	if err := again.replace(); err != nil || len(again.accounts) != 0 {
		t.Fatalf("%d accounts are kept (%v), want none", len(again.accounts), err)
	}
	stop(t, again)
	c.set(t, "2026-11-30T12:00:00Z")
	last := newLedger(t, dir, c)
	if state := last.States([]Claim{day})[0]; state.Reset.Format(time.DateOnly) != "2026-12-04" {
		t.Errorf("the window ends at %s, want the day after the latest that was seen", state.Reset)
	}
}

func TestCountsSaturate(t *testing.T) {
	l := newLedger(t, t.TempDir(), new(clock))
	c := claim("alice", "1ktokens/day", 1)
	r := reserve(t, l, c)
	r.Extend(math.MaxInt64)
	r.Extend(math.MaxInt64)
	expectUsed(t, l, c, math.MaxInt64)
	r.Charge()
	expectUsed(t, l, c, math.MaxInt64)
	huge := claim("bob", "1125899906842624tokens/day", math.MaxInt64)
	expectSpent(t, l, huge)
	expectUsed(t, l, huge, 0)
}

func TestTheTableIsBounded(t *testing.T) {
	c := &clock{}
	c.set(t, "2026-11-30T12:00:00Z")
	l := New(Options{Directory: t.TempDir(), Now: c.now, Accounts: 4})
	t.Cleanup(func() { stop(t, l) })
	for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
		named := claim(name, "9requests/hour", 1)
		named.Named = i < 3
		_, err := l.Reserve([]Claim{named})
		if want := i == 2 || i == 5; errors.Is(err, ErrFull) != want {
			t.Errorf("%s: got %v; the table has 4 places, 2 of them for identities of proxies", name, err)
		}
	}
	c.at = c.at.Add(time.Hour)
	if err := l.tick(); err != nil || len(l.accounts) != 4 {
		t.Errorf("%d accounts (%v): requests in progress keep theirs", len(l.accounts), err)
	}
}

// Names of a proxy that a restart finds in the file are still its own.
func TestTheShareOfProxiesSurvivesARestart(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	c.set(t, "2026-11-30T12:00:00Z")
	open := func() *Ledger { return New(Options{Directory: dir, Now: c.now, Accounts: 4}) }
	ask := func(l *Ledger, name string, named bool) error {
		asked := claim(name, "9requests/month", 1)
		asked.Named = named
		_, err := l.Reserve([]Claim{asked})
		return err
	}
	l := open()
	for _, name := range []string{"a", "b"} {
		if err := ask(l, name, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, replace := range []bool{false, true} {
		if replace {
			if err := l.replace(); err != nil {
				t.Fatal(err)
			}
		}
		stop(t, l)
		l = open()
		if err := ask(l, "c", true); !errors.Is(err, ErrFull) {
			t.Errorf("replaced is %v: a third name of a proxy got %v", replace, err)
		}
		if err := ask(l, "b", true); err != nil {
			t.Errorf("replaced is %v: a name that has its place: %v", replace, err)
		}
	}
	if err := ask(l, "alice", false); err != nil {
		t.Errorf("a name of the keyring: %v", err)
	}
	stop(t, l)
}
