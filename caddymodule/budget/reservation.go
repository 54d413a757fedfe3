package budget

import (
	"errors"
	"slices"

	"github.com/llorch/gateway/authmin"
)

// Reservation is what a request has reserved, of all of its budgets. It must be ended by
// one of Settle, Charge and Cancel; the first one counts.
type Reservation struct {
	ledger *Ledger
	shares []share
	over   *SpentError // see Over
	ended  bool
}

// share is what a request has of one account.
type share struct {
	claim   Claim
	account *account
	window  int64 // in which held was reserved
	held    int64 // reserved in that window; less than was asked for after an overflow
	closed  int64 // reserved in windows that are over, and used there
	spent   int64 // charged at the end
}

// reserved is what was reserved in all windows.
func (s *share) reserved() int64 { return Add(s.held, s.closed) }

// follow closes what was reserved in a window that is over.
func (s *share) follow() {
	if s.window != s.account.window {
		s.closed, s.held, s.window = Add(s.closed, s.held), 0, s.account.window
	}
}

// Reserve reserves what a request may use, of all budgets or of none. The error is a
// [SpentError] with the budget that is spent until the latest time, [ErrFull] or
// [ErrUnavailable].
func (l *Ledger) Reserve(claims []Claim) (*Reservation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := !slices.ContainsFunc(claims, func(c Claim) bool { return !c.Open })
	r := &Reservation{ledger: l}
	if err := l.begin(); err != nil || l.journal == nil {
		if open {
			return r, nil
		}
		return nil, errors.Join(ErrUnavailable, err)
	}
	at := l.now()
	r.shares = make([]share, len(claims))
	var spent *SpentError // of the budget that is spent until the latest time
	for i, c := range claims {
		a, err := l.find(&c, at)
		if err != nil {
			return nil, err
		}
		r.shares[i] = share{claim: c, account: a, window: a.window}
		if a.left(c.Budget.Amount) >= c.Amount {
			continue
		}
		refusal := &spent
		if c.Shadow {
			refusal = &r.over
		}
		if state := a.state(c.Budget, at); *refusal == nil || state.Reset.After((*refusal).State.Reset) {
			*refusal = &SpentError{Claim: c, State: state}
		}
	}
	if spent != nil {
		return nil, spent
	}
	for i := range r.shares {
		c := &r.shares[i].claim
		if c.Shadow {
			c.Amount = min(c.Amount, c.Budget.Amount)
		}
		r.shares[i].take(c.Amount)
	}
	if err := l.write(r.shares); err != nil && !open {
		for i := range r.shares {
			r.shares[i].take(-r.shares[i].held)
		}
		return nil, errors.Join(ErrUnavailable, err)
	}
	for i := range r.shares {
		r.shares[i].account.holders++
	}
	return r, nil
}

// take reserves more of an account, or less.
func (s *share) take(n int64) {
	if n < 0 {
		s.held, s.account.open = s.held+n, s.account.open+n
	} else {
		n = min(n, Add(s.held, n)-s.held, Add(s.account.open, n)-s.account.open)
		s.held, s.account.open = s.held+n, s.account.open+n
	}
}

// Over is the refusal by a budget that only counts, if it were enforced: it had too little
// left for the request, or it is hard and had nothing left for its stream. It is nil while
// there is none.
func (r *Reservation) Over() *SpentError {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	return r.over
}

// Extend reserves more tokens for a running stream, and returns how many it has reserved: all,
// or with a hard budget at most what is left of it. If that is 0 the caller has to end the
// stream. Other budgets go into debt.
func (r *Reservation) Extend(tokens int64) int64 {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	if r.ended {
		return 0
	}
	at := r.ledger.now()
	for i := range r.shares {
		s := &r.shares[i]
		s.account.roll(at)
		s.account.limit = max(s.account.limit, s.claim.Budget.Amount)
		s.follow()
		b := s.claim.Budget
		if b.Unit != authmin.BudgetTokens || !b.Hard {
			continue
		}
		left := s.account.left(b.Amount)
		switch {
		case !s.claim.Shadow:
			tokens = min(tokens, left)
		case left == 0 && r.over == nil:
			r.over = &SpentError{Claim: s.claim, State: s.account.state(b, at)}
		}
	}
	if tokens <= 0 {
		return 0
	}
	for i := range r.shares {
		if r.shares[i].claim.Budget.Unit == authmin.BudgetTokens {
			r.shares[i].take(tokens)
		}
	}
	_ = r.ledger.write(r.shares) // the next write repeats it
	return tokens
}

// Settle charges the tokens that were used in place of those that were reserved: as many as
// the caller says, which bounds the figures of an upstream. A negative number charges the
// reservation.
func (r *Reservation) Settle(tokens int64) {
	r.end(func(s *share) int64 {
		if s.claim.Budget.Unit == authmin.BudgetRequests || tokens < 0 {
			return s.reserved()
		}
		return tokens
	})
}

// Charge charges what was reserved.
func (r *Reservation) Charge() {
	r.end((*share).reserved)
}

// Cancel gives back what was reserved: the request did not reach the upstream.
func (r *Reservation) Cancel() {
	r.end(func(*share) int64 { return 0 })
}

// end replaces what is reserved of each account by what was used. What was reserved in a
// window that is over was used there.
func (r *Reservation) end(used func(*share) int64) {
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.ended {
		return
	}
	r.ended = true
	at := l.now()
	for i := range r.shares {
		s := &r.shares[i]
		s.account.roll(at)
		s.account.limit = max(s.account.limit, s.claim.Budget.Amount)
		s.follow()
		s.spent = used(s)
		charge := max(0, s.spent-s.closed)
		s.take(-s.held)
		s.account.used = Add(s.account.used, charge)
		s.account.holders--
	}
	_ = l.write(r.shares) // the next write repeats it
}

// Spent returns what was charged of budgets of a unit, when the reservation has ended: 0
// where the request has none of that unit.
func (r *Reservation) Spent(unit authmin.BudgetUnit) int64 {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	spent := int64(0)
	for i := range r.shares {
		if s := &r.shares[i]; s.claim.Budget.Unit == unit {
			spent = max(spent, s.spent)
		}
	}
	return spent
}
