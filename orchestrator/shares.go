package orchestrator

// Shares is a bound that identities share. A tenth of it is a reserve
// from which only identities draw that hold less than a tenth: one identity alone
// reaches nine tenths, and the next one gets in. A bound under ten has no reserve.
type Shares struct {
	capacity int64

	mu    mutex[lockShares]
	total int64
	each  map[string]int64 // by identity; no entry: it holds nothing
}

// NewShares makes a bound of that many.
func NewShares(capacity int64) *Shares {
	return &Shares{capacity: capacity, each: make(map[string]int64)}
}

// admits reports whether an identity that holds so many of a bound may take n more.
func admits(capacity, total, holds, n int64) bool {
	reserve := capacity / 10
	if total+n <= capacity-reserve {
		return true
	}
	return total+n <= capacity && holds+n <= reserve
}

// most is what one identity alone may hold of a bound.
func most(capacity int64) int64 { return capacity - capacity/10 }

// Admits reports whether the identity may take n more now.
func (s *Shares) Admits(identity string, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return admits(s.capacity, s.total, s.each[identity], n)
}

// Take takes one for the identity, if Admits allows it.
func (s *Shares) Take(identity string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !admits(s.capacity, s.total, s.each[identity], 1) {
		return false
	}
	s.add(identity, 1)
	return true
}

// Add counts n more, or fewer, without the check: for what is stored already.
func (s *Shares) Add(identity string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(identity, n)
}

// add is Add with mu held.
func (s *Shares) add(identity string, n int64) {
	s.total += n
	if s.each[identity] += n; s.each[identity] <= 0 {
		delete(s.each, identity)
	}
}

// Total is what all identities hold.
func (s *Shares) Total() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// largest gives the identity that holds most; of several the first by name.
func largest[N int | int64](each map[string]N) (owner string) {
	first := true
	for other, n := range each {
		if first || n > each[owner] || n == each[owner] && other < owner {
			owner, first = other, false
		}
	}
	return owner
}
