package poolmanager

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The supervision of an engine: back-off 1 s ×2 to 60 s ±10 %, breaker at 5
// failures in 300 s, 300 s of health reset both.
const (
	restartFirst   = time.Second
	restartLongest = 60 * time.Second
	breakerCount   = 5
	breakerWindow  = 300 * time.Second
	healthyAfter   = 300 * time.Second
)

// Breaker is whether restarts are allowed; its value is the metric's.
type breakerState int

const (
	breakerClosed breakerState = iota
	breakerHalfOpen
	breakerOpen
)

// restartPolicy decides how long to wait before the next start. It is for one
// goroutine, and takes the time as an argument.
type restartPolicy struct {
	backoff  *backoff.ExponentialBackOff
	failures []time.Time
	state    breakerState
}

func newRestartPolicy(first time.Duration) *restartPolicy {
	b := &backoff.ExponentialBackOff{
		InitialInterval: first, RandomizationFactor: 0.1, Multiplier: 2, MaxInterval: restartLongest,
	}
	b.Reset()
	return &restartPolicy{backoff: b}
}

// failed records a failure and gives the wait before the next start. An open
// breaker waits a whole window; one failure of the half-open try opens it again.
func (p *restartPolicy) failed(now time.Time) time.Duration {
	recent := p.failures[:0]
	for _, at := range p.failures {
		if now.Sub(at) < breakerWindow {
			recent = append(recent, at)
		}
	}
	p.failures = append(recent, now)
	if p.state == breakerHalfOpen || len(p.failures) >= breakerCount {
		p.state, p.failures = breakerOpen, p.failures[:0]
		return breakerWindow
	}
	return p.backoff.NextBackOff()
}

// starting is called at each start: after an open breaker it is the one attempt.
func (p *restartPolicy) starting() {
	if p.state == breakerOpen {
		p.state = breakerHalfOpen
	}
}

// healthy resets the policy, after healthyAfter of service or when an operator
// requests a start.
func (p *restartPolicy) healthy() {
	p.backoff.Reset()
	p.failures, p.state = p.failures[:0], breakerClosed
}
