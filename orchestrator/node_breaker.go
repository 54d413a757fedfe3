package orchestrator

import "time"

// The circuit breaker of a node opens after so many failures in a row, for so long.
const (
	breakerFailures = 5
	breakerPause    = 30 * time.Second
)

// breaker keeps tasks away from a node that fails: closed, open for a pause,
// then half-open for one probe. It is guarded by its node's registry.
type breaker struct {
	failures int
	openedAt time.Time
	probing  bool
}

// blocks reports whether a task may not go there now.
func (b *breaker) blocks(now time.Time) bool {
	if b.failures < breakerFailures {
		return false
	}
	return b.probing || now.Sub(b.openedAt) < breakerPause
}

// begin notes a dispatch; the first one after the pause is the probe.
func (b *breaker) begin() { b.probing = b.failures >= breakerFailures }

// succeed closes the breaker.
func (b *breaker) succeed() { *b = breaker{} }

// fail counts a failure and opens the breaker at the fifth.
func (b *breaker) fail(now time.Time) {
	b.failures++
	b.openedAt, b.probing = now, false
}

// abandon ends a probe that said nothing about the node's health.
func (b *breaker) abandon() { b.probing = false }
