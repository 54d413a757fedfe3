package orchestrator

import (
	"time"
)

const (
	// minBackoff and maxBackoff bound the Retry-After of a refused caller.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// paceWeight is the weight of the newest gap between two starts, and of the newest
	// answer's speed.
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
	step time.Duration    // moving average of the time from one token to the next
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

// decoded notes how long an answer took from its first token to its last.
func (p *pace) decoded(tokens int, took time.Duration) {
	if tokens < 2 || took <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	step := took / time.Duration(tokens-1)
	if p.step == 0 {
		p.step = step
	}
	p.step += time.Duration(paceWeight * float64(step-p.step))
}

// answer gives the milliseconds that an answer of so many tokens takes; 0 until one has
// ended.
func (p *pace) answer(tokens int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (time.Duration(tokens) * p.step).Milliseconds()
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
