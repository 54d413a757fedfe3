package poolmanager

import (
	"context"
	"time"
)

const (
	// serviceGrace is how long engines may take to stop when the whole service
	// stops, which has to be done within 4 s.
	serviceGrace = 1500 * time.Millisecond
	// reloadDrain is how long running tasks may delay a reload.
	reloadDrain = 30 * time.Second
	// commandWait is how long a ready pool may take to notice a command: it may be
	// probing the engine and then listing its models, 2 s each.
	commandWait = 5 * time.Second
	// reloadWait bounds how long a caller waits for a reload; the orchestrator
	// waits 15 minutes for the answer. A longer reload goes on, and the pool's status
	// shows its result.
	reloadWait = 14 * time.Minute
)

type verb int

const (
	verbStop verb = iota
	verbDrain
	verbReload
)

// command is carried out by the supervising goroutine.
type command struct {
	verb     verb
	deadline time.Duration // of a drain
	model    model         // of a reload
	answer   chan error    // of a reload; buffered
}

// ask hands a command to a ready pool.
func (p *pool) ask(ctx context.Context, c command) error {
	p.mu.Lock()
	ready, done := p.state == StateReady, p.done
	p.mu.Unlock()
	if !ready {
		return errNotReady
	}
	timer := time.NewTimer(commandWait)
	defer timer.Stop()
	select {
	case p.commands <- c:
		return nil
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return errNotReady
}

// cancel makes the pool stop, and stay so until it is preloaded again; done is
// closed when it has.
func (p *pool) cancel() (done <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	return p.done
}

// end begins the pool's end; the caller holds the lock.
func (p *pool) end() {
	p.loadable, p.unloading, p.again, p.ending, p.fallback = false, false, false, true, nil
	p.stop()
	p.announce()
}

// shutDown ends a ready engine, after a drain when that was requested. Tasks that came
// while it was being unloaded were never in it, and wait for the next one.
func (p *pool) shutDown(ctx context.Context, inst *instance, asked command) {
	if asked.verb == verbDrain {
		p.drain(ctx, asked.deadline)
	}
	p.move(StateStopping)
	p.mu.Lock()
	unloading := p.unloading
	p.mu.Unlock()
	if !unloading {
		p.dropSlots("the pool was stopped")
	}
	p.endStopping(ctx, inst)
}

func (p *pool) endStopping(ctx context.Context, inst *instance) {
	p.env.engines.end(p.id, inst, p.grace(ctx, inst))
	p.gone()
	p.env.ledger.ended()
}

// grace is the template's, unless an immediate stop was requested.
func (p *pool) grace(ctx context.Context, inst *instance) time.Duration {
	if ctx.Err() != nil {
		return min(inst.template.StopGrace, serviceGrace)
	}
	return inst.template.StopGrace
}

// drain refuses new tasks and waits for the running ones, at most the deadline. It
// is false for an engine that was unloaded before the command came.
func (p *pool) drain(ctx context.Context, deadline time.Duration) bool {
	begin := time.Now()
	p.mu.Lock()
	ready := p.state == StateReady
	if ready {
		p.set(StateDraining)
	}
	p.mu.Unlock()
	if !ready {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	for {
		p.mu.Lock()
		running, changed := len(p.taken), p.waiters
		p.mu.Unlock()
		if running == 0 {
			break
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		}
		break
	}
	p.env.metrics.drained(time.Since(begin))
	return true
}

// reload replaces the model: the old engine ends first, because two rarely fit
// into one GPU. When the new one does not start, the old one is started again.
func (p *pool) reload(ctx context.Context, old *instance, asked command) (*instance, error) {
	begin := time.Now()
	before := p.wanted()
	if !p.drain(ctx, reloadDrain) {
		asked.answer <- errNotReady
		p.shutDown(ctx, old, command{verb: verbStop})
		return nil, errNotReady
	}
	p.shutDown(ctx, old, command{verb: verbStop})
	p.move(StateStopped)
	p.move(StateStarting)
	after := before
	after.model = asked.model
	p.setSpec(after)
	inst, err := p.launch(ctx, after)
	if err == nil {
		p.env.metrics.reloaded(time.Since(begin))
		asked.answer <- nil
		return inst, nil
	}
	p.env.log.Warn("reload failed, rolling back", "pool_id", p.id, "model_ref", asked.model.ref, "error", err)
	p.setSpec(before)
	if ctx.Err() != nil {
		asked.answer <- errNotReady
		return nil, err
	}
	p.setFailed(failureOf(err))
	p.move(StateStarting)
	inst, err = p.launch(ctx, before)
	asked.answer <- errRollback
	return inst, err
}

func (p *pool) setSpec(spec launchSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spec, p.models = spec, nil
	p.forTask = false // an operator wants it
}
