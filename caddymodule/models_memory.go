package caddymodule

import (
	"sync"
	"time"
)

// bodyMemoryRetry is when a request is worth repeating that found no memory for its body.
const bodyMemoryRetry = time.Second

// bodyMemory counts the bytes of the bodies that are held for a model, by identity. It
// survives a reload, as the bodies do. The requests in progress bound it.
type bodyMemory struct {
	mu   sync.Mutex
	used int64
	by   map[string]int64
}

// take charges an identity, unless that is over the limit in all, or over half of it for
// one. A tenth of the limit is a reserve for identities that hold less than a tenth.
func (m *bodyMemory) take(limit int64, identity string, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	reserve := limit / 10
	free := limit - m.used
	if m.by[identity]+n > reserve {
		free -= reserve
	}
	if n > free || m.by[identity]+n > limit/2 {
		return false
	}
	if m.by == nil {
		m.by = map[string]int64{}
	}
	m.used += n
	m.by[identity] += n
	return true
}

// give returns what an identity was charged.
func (m *bodyMemory) give(identity string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	if m.by[identity] -= n; m.by[identity] <= 0 {
		delete(m.by, identity)
	}
}

// charge takes memory for the body of a request, which discharge gives back: when the body
// has been forwarded, or with the request.
func (s *requestState) charge(a *App, identity string, n int64) bool {
	if !a.state.bodies.take(a.bodyMemory(), identity, n) {
		return false
	}
	s.memory, s.holder = &a.state.bodies, identity
	s.charged.Add(n)
	return true
}

// discharge gives back what was charged.
func (s *requestState) discharge() {
	if n := s.charged.Swap(0); n > 0 {
		s.memory.give(s.holder, n)
	}
}

// bodyMemory is the limit on the bodies that are held at one time.
func (a *App) bodyMemory() int64 {
	if a.BodyMemory == 0 {
		return defaultBodyMemory
	}
	return a.BodyMemory
}
