package poolmanager

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
)

// lease is one slot that a task has taken. Its context ends when the slot is
// taken away, when the task's deadline passes before its first token, or its
// stream's limit after it, or with the request.
type lease struct {
	pool  *pool
	model string // what the task asked for
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer // of the deadline, then of the stream's limit; nil without

	events atomic.Int64 // that the engine has sent
	latest atomic.Int64 // when it did last, in Unix nanoseconds

	inst *instance // set once the engine was ready, and kept: the task is its
	name string    // what that engine calls the model
}

// acquire takes a slot of a pool that is ready, or that loads its engine for a
// task: then await says when it is there. deadline 0 sets none.
func (p *pool) acquire(parent context.Context, modelRef, workload string, deadline time.Duration) (*lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state != StateReady && !p.takes():
		return nil, errNotReady
	case !p.spec.template.takes(workload):
		return nil, errWorkload
	case !p.holds(modelRef):
		return nil, errModel
	case len(p.leases) >= p.spec.template.Slots:
		return nil, errNoSlot
	}
	l := &lease{pool: p, model: modelRef}
	l.ctx, l.end = context.WithCancelCause(parent)
	if p.state == StateReady {
		var err error
		if l.name, err = p.chooseModel(modelRef); err != nil {
			l.end(err)
			return nil, err
		}
		l.inst = p.inst
	}
	if deadline > 0 {
		l.timer = time.AfterFunc(deadline, func() { l.end(errDeadline) })
	}
	p.leases[l] = struct{}{}
	p.demand()
	return l, nil
}

// demand starts the engine if a task alone may; the caller holds the lock.
func (p *pool) demand() {
	switch {
	case p.state == StateReady:
	case !p.supervised():
		p.forTask = true
		p.begin()
	case p.state == StateStopping && !p.again:
		p.forTask, p.again = true, true
	}
}

// holds reports whether the pool has the model, as far as is known before its
// engine runs; the caller holds the lock.
func (p *pool) holds(ref string) bool {
	return ref == "" || ref == p.spec.model.ref || slices.Contains(p.serves(), ref)
}

// await waits until the engine is ready, which it is at once for most. early, if
// not 0, bounds the wait: for memory that others use the answer is then errNoRoom;
// otherwise the load goes on, and the error is errLoading. It is for one goroutine.
func (l *lease) await(early time.Duration) error {
	if l.inst != nil {
		return nil
	}
	var late <-chan time.Time
	if early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		late = timer.C
	}
	for {
		changed, roomless, err := l.look()
		if l.inst != nil || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
		case <-late:
			if roomless {
				return errNoRoom
			}
			return errLoading
		}
	}
}

// look takes the engine if it is ready.
func (l *lease) look() (changed <-chan struct{}, roomless bool, err error) {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	_, held := p.leases[l]
	switch {
	case l.ctx.Err() != nil:
		return nil, false, context.Cause(l.ctx)
	case held && p.state == StateReady:
		if l.name, err = p.chooseModel(l.model); err == nil {
			l.inst = p.inst
		}
		return nil, false, err
	case held && (p.takes() || p.state == StateStopped && p.supervised()): // a reload goes through stopped
		return p.waiters, p.roomless, nil
	}
	return nil, false, &adapter.Error{Class: adapter.ClassUnavailable, Message: "the engine did not start: " + p.why()}
}

// release gives the slot back; it may be called more than once.
func (l *lease) release() {
	l.end(nil)
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if _, held := p.leases[l]; held {
		delete(p.leases, l)
		p.used = time.Now()
		p.announce()
	}
}

// flows notes an event of the engine. From the first one on the deadline is met, and
// the stream's own limit counts; 0 sets none.
func (l *lease) flows(streamLimit time.Duration) {
	l.latest.Store(time.Now().UnixNano())
	if l.events.Add(1) > 1 {
		return
	}
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if streamLimit > 0 && l.ctx.Err() == nil {
		l.timer = time.AfterFunc(streamLimit, func() { l.end(errStreamLimit) })
	}
}

// chooseModel gives the name that the engine knows the model by; the caller
// holds the lock.
func (p *pool) chooseModel(ref string) (string, error) {
	switch {
	case ref == "" || ref == p.spec.model.ref:
		if p.spec.model.name != "" {
			return p.spec.model.name, nil
		}
		if len(p.models) > 0 {
			return p.models[0], nil
		}
		return "", errModel
	case slices.Contains(p.models, ref):
		return ref, nil
	}
	return "", errModel
}

// dropLeases ends every running task with a reason that its caller reads. The
// slots are free at once: the engine that they were of is gone.
func (p *pool) dropLeases(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.leases {
		l.end(&adapter.Error{Class: adapter.ClassReset, Message: why})
	}
	clear(p.leases)
	p.used = time.Now()
	p.announce()
}
