package poolmanager

import (
	"context"
	"time"
)

// An engine that may be swapped is unloaded when it was idle for its TTL, or when
// another needs its memory; never while a task has a slot. Check and decision are one
// step under the lock, so that no task can come between.

// unload begins to end an idle engine that has stayed long enough. done is closed
// when it is gone.
func (p *pool) unload(stay time.Duration) (done <-chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.idle() || p.stayLeft(stay) > 0 {
		return nil, false
	}
	p.beginUnload()
	return p.done, true
}

// expire begins to end an engine that was idle for the whole TTL; otherwise it
// says how much of that is left.
func (p *pool) expire(ttl time.Duration) (left time.Duration, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.idle() {
		return ttl, false
	}
	if left = ttl - time.Since(p.used); left > 0 {
		return left, false
	}
	p.beginUnload()
	return 0, true
}

// idle reports whether the engine may be ended; the caller holds the lock.
func (p *pool) idle() bool {
	return p.state == StateReady && p.loadable && len(p.taken) == 0
}

// beginUnload lets supervise end the engine; the caller holds the lock.
func (p *pool) beginUnload() {
	p.unloading = true
	p.set(StateStopping)
	p.stop()
}

// cancelLoad ends a start that no task waits for any more. A task that comes at the same
// time gets a start of its own.
func (p *pool) cancelLoad() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unloading, p.again = true, len(p.taken) > 0
	p.set(StateStopping)
}

// wantedNow reports whether the engine that is being loaded is still wanted.
func (p *pool) wantedNow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.forTask || len(p.taken) > 0
}

// memory is the engine's measured memory in bytes; 0 when it was not measured.
func (p *pool) memory() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// unloaded reports whether no engine runs and a task would start one.
func (p *pool) unloaded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loadable && !p.supervised()
}

// wake is a reload of a pool whose engine is unloaded: it starts with the new model.
// After errRollback no engine runs, and the pool is offered with the old one.
func (p *pool) wake(ctx context.Context, next model) error {
	p.mu.Lock()
	if !p.loadable || p.supervised() {
		p.mu.Unlock()
		return errNotReady
	}
	before := p.spec
	p.spec.model, p.models, p.forTask = next, nil, false
	p.begin()
	run := p.done
	p.mu.Unlock()
	switch p.await(ctx, StateReady, StateFailed, StateStopped) {
	case StateReady:
		return nil
	case StateFailed:
		if !p.fallBack(run, before) {
			return errNotReady // an operator has stopped or started it meanwhile
		}
		<-run
		return errRollback
	case StateStopped: // stopped by an operator
		return errNotReady
	}
	return context.Cause(ctx)
}

// fallBack ends a run that failed. finish then offers the pool with the old model in
// the same step, so that no preload comes between, and a stop meanwhile stays in
// effect. It is false when an operator has ended that run, or begun another.
func (p *pool) fallBack(run <-chan struct{}, before launchSpec) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != run || p.ending {
		return false
	}
	p.end()
	p.fallback = &before
	return true
}

// disableLoading keeps tasks from starting the engine again once it has ended.
func (p *pool) disableLoading() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loadable = false
}
