package adapter

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Limits is how long an engine may take over the parts of an answer; 0 sets no
// limit. Progress is a token, an embedding, a score, or a piece of reasoning. Comments,
// empty events and headers are not progress.
type Limits struct {
	FirstToken    time.Duration
	BetweenTokens time.Duration
}

// progress ends a task whose engine has stopped making progress. The time in which
// the receiver takes a piece is the receiver's, and does not count.
type progress struct {
	limits Limits
	cancel context.CancelCauseFunc

	mu        sync.Mutex
	since     time.Time
	begun     bool // the first piece has come
	receiving bool
	timer     *time.Timer
}

// watch begins to watch. The context that it gives ends, with an error as its
// cause, when a limit has passed. Call stop.
func (l Limits) watch(parent context.Context) (context.Context, *progress) {
	ctx, cancel := context.WithCancelCause(parent)
	p := &progress{limits: l, cancel: cancel, since: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	// It starts below, and look needs p.timer.
	p.timer = time.AfterFunc(time.Hour, p.look)
	p.arm(p.limit())
	return ctx, p
}

func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.cancel(nil)
}

// limit is the one that holds now; the caller holds the lock.
func (p *progress) limit() time.Duration {
	if p.begun {
		return p.limits.BetweenTokens
	}
	return p.limits.FirstToken
}

// arm has look called; the caller holds the lock.
func (p *progress) arm(left time.Duration) {
	if p.limit() <= 0 {
		p.timer.Stop()
		return
	}
	p.timer.Reset(left)
}

// made notes progress.
func (p *progress) made() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note()
}

// note is made for a caller that holds the lock. The timer is left as it is after
// the first piece: look waits again for what is left then, so that a piece costs
// no timer.
func (p *progress) note() {
	p.since = time.Now()
	p.begin()
}

// begin notes the first piece; the caller holds the lock.
func (p *progress) begin() {
	if !p.begun {
		p.begun = true
		p.arm(p.limit())
	}
}

// deliver gives a piece to its receiver.
func (p *progress) deliver(emit func() error) error {
	p.mu.Lock()
	p.begin()
	p.receiving = true // until that ends look does not read since
	p.mu.Unlock()
	err := emit()
	p.mu.Lock()
	p.receiving, p.since = false, time.Now()
	p.mu.Unlock()
	return err
}

// pass sends the receiver something other than progress, which resets no limit.
func (p *progress) pass(emit func() error) error {
	begin := time.Now()
	p.mu.Lock()
	p.receiving = true
	p.mu.Unlock()
	err := emit()
	p.mu.Lock()
	p.receiving, p.since = false, p.since.Add(time.Since(begin))
	p.mu.Unlock()
	return err
}

// look ends the task if there was no progress for the whole limit.
func (p *progress) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limit()
	if limit <= 0 {
		return
	}
	left := limit - time.Since(p.since)
	switch {
	case p.receiving:
		p.arm(limit)
	case left > 0:
		p.arm(left)
	case p.begun:
		p.cancel(&Error{Class: ClassReset, Stalled: true, Message: fmt.Sprintf("the engine stalled: no further token for %v (between_tokens_limit_ms)", limit)})
	default:
		p.cancel(&Error{Class: ClassReset, Stalled: true, Message: fmt.Sprintf("the engine stalled: no first token within %v (first_token_limit_ms)", limit)})
	}
}
