package budget

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxAccounts bounds the counts of a ledger. A count is one budget of one identity, and
// takes about 200 bytes. Identities that proxies name can have half of them.
const maxAccounts = 1 << 17

// Options are the surroundings of a [Ledger].
type Options struct {
	Directory string              // an existing one, of this ledger alone
	Log       func() *slog.Logger // for what an operator has to know
	Now       func() time.Time    // default: time.Now
	Accounts  int                 // bound of the counts; default: 131,072
}

// Ledger holds the counts of all budgets. It is safe for concurrent use. It is opened by
// Start, and must be ended by Stop, after which nothing can be reserved.
type Ledger struct {
	options Options

	mu       sync.Mutex
	accounts map[string]*account
	named    int       // accounts of identities that proxies name
	latest   time.Time // the latest time that was seen, in this process or an earlier one
	journal  *journal  // nil: not open
	failing  error     // nil: the journal can be written and synced
	closed   string    // why the journal could not be opened, as it was logged last
	synced   int64     // size of the journal when it was synced last
	replaced int64     // its size when it was replaced last; 0 before
	lines    []byte    // reused by write
	broken   error     // of the last tick
	ended    bool      // by Stop
	stop     chan struct{}
	stopped  chan struct{}

	unwritten []*account // whose counts could not be written yet, each once
	replacing bool       // the next journal is being written
	changed   []*account // whose counts changed meanwhile, each once

	ticking sync.Mutex // held by tick, and locked before mu
}

// Claim is what a request may use of one budget.
type Claim struct {
	Key    string // of the count: the identity, and what its budget is of
	Budget authmin.Budget
	Amount int64 // in Budget.Unit, 0 or more; tokens may be extended
	Shadow bool  // count only, apart from the claims that are enforced: refuse nothing
	Open   bool  // do not refuse when the journal cannot be written
	Named  bool  // the identity is named by a proxy, and in no keyring
}

// shadowKey begins the keys of claims that only count.
const shadowKey = "shadow "

// account is the key in the ledger: another period is another count. A budget that only
// counts reserves nothing of one that is enforced.
func (c *Claim) account() string {
	key := c.Key
	if c.Shadow {
		key = shadowKey + key
	}
	return key + " " + string(c.Budget.Unit) + "/" + string(c.Budget.Period)
}

// What refuses a reservation beside a spent budget.
var (
	ErrUnavailable = errors.New("the journal of budgets cannot be written")
	ErrFull        = errors.New("the table of budgets is full")
)

// SpentError is a budget that has too little left for a request.
type SpentError struct {
	Claim Claim
	State State
}

// Error implements error.
func (e *SpentError) Error() string {
	return fmt.Sprintf("the budget %s has %d left of %d needed", e.Claim.Budget, e.State.Left, e.Claim.Amount)
}

// New returns a ledger that is not open.
func New(o Options) *Ledger {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Accounts == 0 {
		o.Accounts = maxAccounts
	}
	return &Ledger{options: o, accounts: map[string]*account{}}
}

// now is the time, which never goes backwards.
func (l *Ledger) now() time.Time {
	if now := l.options.Now(); now.After(l.latest) {
		l.latest = now
	}
	return l.latest
}

// find returns the account of a claim in the window of a time, which is a new one if there
// is none.
func (l *Ledger) find(c *Claim, at time.Time) (*account, error) {
	key := c.account()
	a, ok := l.accounts[key]
	if !ok {
		if len(l.accounts) >= l.options.Accounts || c.Named && l.named >= l.options.Accounts/2 {
			return nil, ErrFull
		}
		start, _ := Window(c.Budget.Period, at)
		a = &account{key: key, period: c.Budget.Period, window: start.Unix()}
		l.accounts[key] = a
	}
	if c.Named && !a.named {
		a.named = true
		l.named++
	}
	a.roll(at)
	a.limit = max(a.limit, c.Budget.Amount)
	return a, nil
}

// States returns the budgets of claims as they are now, and reserves nothing.
func (l *Ledger) States(claims []Claim) []State {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	states := make([]State, len(claims))
	for i := range claims {
		c := &claims[i]
		a := account{period: c.Budget.Period}
		if held, ok := l.accounts[c.account()]; ok {
			a = *held
		} else {
			start, _ := Window(a.period, at)
			a.window = start.Unix()
		}
		a.roll(at)
		states[i] = a.state(c.Budget, at)
	}
	return states
}

// forgetIdle drops the accounts whose windows are over. The time that the ledger has seen
// stays: no window of theirs begins again.
func (l *Ledger) forgetIdle(at time.Time) {
	for key, a := range l.accounts {
		if a.isIdle(at) {
			delete(l.accounts, key)
			if a.named {
				l.named--
			}
		}
	}
}
