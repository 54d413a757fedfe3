package poolmanager

import (
	"errors"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
)

const (
	// stallsInARow is how many tasks in a row, without a successful one between them, may
	// stall until the engine is restarted.
	stallsInARow = 2
	// stallsInAll is how many may stall within suspectFor, successful ones between or not.
	stallsInAll = 3
	// suspectFor is how long a stall counts: a few times the longest default limit.
	suspectFor = 30 * time.Minute
	// flowing is how many events prove that a task makes progress beyond its first
	// token.
	flowing = 8
)

// stallHistory counts the stalled tasks of one engine.
type stallHistory struct {
	stalls []time.Time // at most stallsInAll
	row    int         // stalls with no task that ended well between them
}

// recent drops stalls older than suspectFor, and gives how many are left.
func (s *stallHistory) recent(now time.Time) int {
	for len(s.stalls) > 0 && now.Sub(s.stalls[0]) >= suspectFor {
		s.stalls = s.stalls[1:]
	}
	if len(s.stalls) == 0 {
		s.row = 0
	}
	return len(s.stalls)
}

// recordOutcome takes the result of a task. A stall makes the pool suspect; the engine
// is restarted when that repeats, unless other tasks make progress meanwhile: they would
// be lost. The caller has not released the slot yet.
func (p *pool) recordOutcome(l *slot, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.inst == nil || p.inst != l.inst || p.state != StateReady && p.state != StateDraining {
		return
	}
	var failed *adapter.Error
	if !errors.As(err, &failed) || !failed.Stalled {
		if err == nil {
			p.suspect.row = 0
		}
		return
	}
	now := time.Now()
	p.suspect.recent(now)
	first := now
	if len(p.suspect.stalls) > 0 {
		first = p.suspect.stalls[0]
	}
	p.suspect.stalls = append(p.suspect.stalls, now)
	p.suspect.row++
	f := &failure{ReasonStalled, failed.Message}
	p.lastErr = f.Error()
	p.env.log.Warn("task stalled in the engine", "pool_id", p.id, "error", failed.Message, "stalls", len(p.suspect.stalls))
	if len(p.suspect.stalls) < stallsInAll && (p.suspect.row < stallsInARow || p.othersProgress(l, first)) {
		return
	}
	select {
	case p.stalled <- f:
	default: // a restart is requested already
	}
}

// othersProgress reports whether another task has made progress since the first stall;
// the caller holds the lock.
func (p *pool) othersProgress(stalled *slot, since time.Time) bool {
	for l := range p.taken {
		if l != stalled && l.inst == stalled.inst && l.events.Load() >= flowing && l.latest.Load() > since.UnixNano() {
			return true
		}
	}
	return false
}

// clearStalls resets the history for a new engine; the caller holds the lock.
func (p *pool) clearStalls() {
	p.suspect = stallHistory{}
	select {
	case <-p.stalled:
	default:
	}
}
