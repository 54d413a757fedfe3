package orchestrator

import (
	"time"
)

const (
	// minBackoff and maxBackoff bound the Retry-After of a refused caller.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// paceWeight is the weight of the newest gap between two starts.
	paceWeight = 0.2
	// paceMemory is how many ended tasks the share of those on time is taken of.
	paceMemory = 128
)

// pace is the moving average of the time between two starts while tasks wait:
// the queue's speed, from which starts are predicted. Zero until measured.
type pace struct {
	mu   mutex[lockPace]
	last time.Time
	gap  time.Duration
	late [paceMemory]bool // the newest ended tasks, a ring
	seen int              // tasks that have ended
}

// ended notes whether a task that ran ended before its deadline.
func (p *pace) ended(onTime bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late[p.seen%paceMemory] = !onTime
	p.seen++
}

// onTime gives the share of the newest tasks that ended before their deadlines,
// which is the best guess for the next; nil when none has ended.
func (p *pace) onTime() *float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, late := min(p.seen, paceMemory), 0
	for _, l := range p.late[:n] {
		if l {
			late++
		}
	}
	if n == 0 {
		return nil
	}
	share := float64(n-late) / float64(n)
	return &share
}

// started notes a start; waited says whether the task had to queue for a slot,
// because an idle system's gaps say nothing of its speed.
func (p *pace) started(now time.Time, waited bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if waited && !p.last.IsZero() {
		gap := now.Sub(p.last)
		if p.gap == 0 {
			p.gap = gap
		}
		p.gap += time.Duration(paceWeight * float64(gap-p.gap))
	}
	p.last = now
}

// predict gives the milliseconds until that many tasks have started.
func (p *pace) predict(starts int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (time.Duration(starts) * p.gap).Milliseconds()
}

func (p *pace) backoff() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return min(max(p.gap, minBackoff), maxBackoff)
}
