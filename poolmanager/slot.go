package poolmanager

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
)

// slot is one slot that a task holds. Its context ends when the slot is revoked, when the task's deadline passes before its first token, or its
// stream's limit after it, or with the request.
type slot struct {
	pool  *pool
	model string // what the task asked for
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer // of the deadline, then of the stream's limit; nil without

	events atomic.Int64 // that the engine has sent
	latest atomic.Int64 // when it did last, in Unix nanoseconds

	inst *instance // set once the engine was ready, and kept
	name string    // what that engine calls the model
}

// acquire takes a slot of a pool that is ready, or that loads its engine for a
// task: then await says when it is there. deadline 0 sets none.
func (p *pool) acquire(parent context.Context, modelRef, workload string, deadline time.Duration) (*slot, error) {
	return p.acquireFor(parent, modelRef, deadline, func(t Template) error {
		if !t.takes(workload) {
			return errWorkload
		}
		return nil
	})
}

// acquireFor is acquire for what a template allows.
func (p *pool) acquireFor(parent context.Context, modelRef string, deadline time.Duration, allowed func(Template) error) (*slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != StateReady && !p.takes() {
		return nil, errNotReady
	}
	if err := allowed(p.spec.template); err != nil {
		return nil, err
	}
	switch {
	case !p.holds(modelRef):
		return nil, errModel
	case len(p.taken) >= p.spec.template.Slots:
		return nil, errNoSlot
	}
	s := &slot{pool: p, model: modelRef}
	s.ctx, s.end = context.WithCancelCause(parent)
	if p.state == StateReady {
		var err error
		if s.name, err = p.chooseModel(modelRef); err != nil {
			s.end(err)
			return nil, err
		}
		s.inst = p.inst
	}
	if deadline > 0 {
		s.timer = time.AfterFunc(deadline, func() { s.end(errDeadline) })
	}
	p.taken[s] = struct{}{}
	p.startForTask()
	return s, nil
}

// startForTask starts the engine if a task alone may; the caller holds the lock.
func (p *pool) startForTask() {
	switch {
	case p.state == StateReady:
	case !p.supervised():
		p.forTask = true
		p.begin()
	case p.state == StateStopping && !p.again:
		p.forTask, p.again = true, true
	}
}

// holds reports whether the pool has the model, by what is configured or reported before its
// engine runs; the caller holds the lock.
func (p *pool) holds(ref string) bool {
	return ref == "" || ref == p.spec.model.ref || slices.Contains(p.serves(), ref)
}

// await waits until the engine is ready, which it is at once for most. early, if
// not 0, bounds the wait: for memory that others use the answer is then errNoMemory;
// otherwise the load goes on, and the error is errLoading. It is for one goroutine.
func (s *slot) await(early time.Duration) error {
	if s.inst != nil {
		return nil
	}
	var late <-chan time.Time
	if early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		late = timer.C
	}
	for {
		changed, waitsForMemory, err := s.tryEngine()
		if s.inst != nil || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
		case <-late:
			if waitsForMemory {
				return errNoMemory
			}
			return errLoading
		}
	}
}

// tryEngine takes the engine if it is ready.
func (s *slot) tryEngine() (changed <-chan struct{}, waitsForMemory bool, err error) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	_, held := p.taken[s]
	switch {
	case s.ctx.Err() != nil:
		return nil, false, context.Cause(s.ctx)
	case held && p.state == StateReady:
		if s.name, err = p.chooseModel(s.model); err == nil {
			s.inst = p.inst
		}
		return nil, false, err
	case held && (p.takes() || p.state == StateStopped && p.supervised()): // a reload goes through stopped
		return p.waiters, p.waitsForMemory, nil
	}
	return nil, false, &adapter.Error{Class: adapter.ClassUnavailable, Message: "the engine did not start: " + p.lastErrorText()}
}

// release gives the slot back; it may be called more than once.
func (s *slot) release() {
	s.end(nil)
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if _, held := p.taken[s]; held {
		delete(p.taken, s)
		p.used = time.Now()
		p.announce()
	}
}

// noteEvent records an event of the engine. From the first one on the deadline is met, and
// the stream's own limit counts; 0 sets none.
func (s *slot) noteEvent(streamLimit time.Duration) {
	s.latest.Store(time.Now().UnixNano())
	if s.events.Add(1) > 1 {
		return
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if streamLimit > 0 && s.ctx.Err() == nil {
		s.timer = time.AfterFunc(streamLimit, func() { s.end(errStreamLimit) })
	}
}

// chooseModel gives the engine's name of the model; the caller holds the lock.
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

// dropSlots ends every running task with an error for its caller. The slots are free
// at once, since their engine is gone.
func (p *pool) dropSlots(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.taken {
		s.end(&adapter.Error{Class: adapter.ClassReset, Message: why})
	}
	clear(p.taken)
	p.used = time.Now()
	p.announce()
}
