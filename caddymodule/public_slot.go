package caddymodule

import "net/netip"

// publicSlot is one request's share of a limiter. It is released when the upstream's
// answer has begun and the whole body has been read, at the latest with the request.
type publicSlot struct {
	limiter  *publicLimiter
	client   netip.Addr
	answered bool
	received bool
	late     bool // the body did not arrive in time
	released bool
	large    *publicSlot // among the large bodies; nil for a small one
	gathered int64       // bytes of its body in memory, beyond publicBuffer
}

// answerBegins notes that the upstream has begun to answer.
func (s *publicSlot) answerBegins() {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.answered = true
	s.releaseIf(s.received)
}

// bodyEnds notes that the body has been read, or that its rest is not needed.
func (s *publicSlot) bodyEnds() {
	s.large.release()
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.received = true
	s.releaseIf(s.answered)
}

// bodyIsLate notes that the body did not arrive in time.
func (s *publicSlot) bodyIsLate() {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.late = true
}

func (s *publicSlot) wasLate() bool {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	return s.late
}

// release frees the slot. It may be called again, and on a nil slot.
func (s *publicSlot) release() {
	if s == nil {
		return
	}
	s.large.release()
	s.releaseMemory()
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.releaseIf(true)
}

func (s *publicSlot) releaseIf(done bool) {
	if !done || s.released {
		return
	}
	s.released = true
	s.limiter.vacate(s.client)
}
