package poolmanager

import (
	"context"
	"errors"
	"time"
)

// supervise keeps the pool's engine up until ctx ends or a command stops it.
func (p *pool) supervise(ctx context.Context, done chan struct{}) {
	defer p.finish(done)
	policy := newRestartPolicy(p.env.times.restartFirst)
	for {
		failed := p.live(ctx, policy)
		if failed == nil {
			return
		}
		wait := policy.failed(time.Now())
		p.noteFailure(failed, policy, wait)
		if !p.waitForRestart(ctx, policy, wait) {
			return
		}
		p.mu.Lock()
		p.restarts++
		p.mu.Unlock()
		p.env.metrics.restarted(failed.reason)
	}
}

// finish stops the pool and closes done in one step: a caller that reads stopped can
// start it again. A task that came while the engine was unloaded does so here.
func (p *pool) finish(done chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(StateStopped)
	p.stop()
	close(done)
	if p.fallback != nil {
		p.spec, p.models, p.loadable, p.fallback = *p.fallback, nil, true, nil
		p.again = len(p.taken) > 0
		p.forTask = p.again
		p.announce()
	}
	if p.again && p.loadable {
		p.begin()
	}
	p.again = false
}

// live runs one engine from start to end. nil means that it ended on request; the state
// is then stopping, otherwise failed.
func (p *pool) live(ctx context.Context, policy *restartPolicy) *failure {
	policy.starting()
	p.noteBreaker(policy)
	p.move(StateStarting)
	inst, err := p.launch(ctx, p.wanted())
	for err == nil {
		asked, failed := p.watch(ctx, inst, policy)
		if failed != nil && p.setFailed(failed) {
			p.dropSlots("the engine broke: " + failed.Error())
			p.env.engines.end(p.id, inst, 0)
			p.env.ledger.ended()
			return failed
		}
		if asked.verb != verbReload {
			p.shutDown(ctx, inst, asked)
			return nil
		}
		inst, err = p.reload(ctx, inst, asked)
	}
	if errors.Is(err, errUnwanted) {
		p.cancelLoad()
		return nil
	}
	if ctx.Err() != nil {
		p.move(StateStopping)
		return nil
	}
	failed := failureOf(err)
	p.setFailed(failed)
	return failed
}

// failureOf gives a failure its reason; launch has only such errors.
func failureOf(err error) *failure {
	var failed *failure
	if errors.As(err, &failed) {
		return failed
	}
	return &failure{ReasonStart, err.Error()}
}

// watch supervises a ready engine until it ends, fails its probes, was idle for its
// TTL, or a command ends it.
func (p *pool) watch(ctx context.Context, inst *instance, policy *restartPolicy) (command, *failure) {
	look := time.NewTicker(p.env.times.liveEvery)
	defer look.Stop()
	healthy := time.NewTimer(healthyAfter)
	defer healthy.Stop()
	idle := newIdleTimer(inst.template.TTL)
	defer idle.Stop()
	var probed probes
	for {
		select {
		case <-ctx.Done():
			return command{verb: verbStop}, nil
		case <-inst.gone:
			return command{}, inst.why()
		case asked := <-p.commands:
			return asked, nil
		case <-healthy.C:
			policy.healthy()
			p.noteBreaker(policy)
		case failed := <-p.stalled:
			return command{}, failed
		case <-p.kick: // asked to start what runs already
		case <-idle.C:
			left, ended := p.expire(inst.template.TTL)
			if ended {
				return command{verb: verbStop}, nil
			}
			idle.Reset(left)
		case <-look.C:
			if failed := probed.judge(p.check(ctx, inst), time.Now(), p.env.times.liveMisses); failed != nil {
				return command{}, failed
			}
		}
	}
}

// newIdleTimer fires after the TTL; never without one.
func newIdleTimer(ttl time.Duration) *time.Timer {
	timer := time.NewTimer(ttl)
	if ttl == 0 {
		timer.Stop()
	}
	return timer
}

// check is one probe of a ready engine. One that knows its models itself is asked
// for them too; when that fails the last list stands.
func (p *pool) check(ctx context.Context, inst *instance) error {
	if err := p.env.engines.probe(ctx, inst); err != nil {
		return err
	}
	if inst.template.ListsModels {
		if err := p.learnModels(ctx, inst); err != nil {
			p.env.log.Debug("could not list the engine's models", "pool_id", p.id, "error", err)
		}
	}
	return nil
}

// setFailed sets state and error in one step, so that no status shows a failed pool
// without its error. It is false for an engine that broke while it was being ended anyway.
func (p *pool) setFailed(f *failure) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == StateStopping {
		return false
	}
	p.inst, p.bytes, p.lastErr = nil, 0, f.Error()
	p.set(StateFailed)
	return true
}

func (p *pool) waitForRestart(ctx context.Context, policy *restartPolicy, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.kick:
		policy.healthy()
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *pool) noteFailure(f *failure, policy *restartPolicy, wait time.Duration) {
	p.env.log.Warn("engine failed", "pool_id", p.id, "reason", f.reason, "error", f.text, "restart_in_ms", wait.Milliseconds())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breaker, p.nextStart = policy.state, time.Now().Add(wait).UTC().Truncate(time.Second)
}

func (p *pool) noteBreaker(policy *restartPolicy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breaker = policy.state
}

func (p *pool) wanted() launchSpec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spec
}
