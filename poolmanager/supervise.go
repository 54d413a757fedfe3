package poolmanager

import (
	"context"
	"fmt"
	"os"
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

// finish stops the pool and closes done in one moment: whoever reads stopped can
// start it again.
func (p *pool) finish(done chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(StateStopped)
	close(done)
}

// live is one engine's life. nil means that it was meant to end; the state is
// then stopping, otherwise it is failed.
func (p *pool) live(ctx context.Context, policy *restartPolicy) *failure {
	policy.starting()
	p.noteBreaker(policy)
	p.move(StateStarting)
	inst, failed := p.launch(ctx, p.wanted())
	for failed == nil {
		p.becomeReady(inst)
		var asked command
		asked, failed = p.watch(ctx, inst, policy)
		if failed != nil {
			p.setFailed(failed)
			p.dropLeases("the engine broke")
			p.end(inst, 0)
			return failed
		}
		if asked.verb != verbReload {
			p.shutDown(ctx, inst, asked)
			return nil
		}
		inst, failed = p.reload(ctx, inst, asked)
	}
	if ctx.Err() != nil {
		p.move(StateStopping)
		return nil
	}
	p.setFailed(failed)
	return failed
}

// launch starts an engine and waits until it is ready. On a failure, or when
// ctx ends, nothing runs.
func (p *pool) launch(ctx context.Context, spec launchSpec) (*instance, *failure) {
	inst, err := p.spawn(spec)
	if err != nil {
		return nil, &failure{ReasonStart, err.Error()}
	}
	p.mu.Lock()
	p.inst = inst
	p.mu.Unlock()
	failed := p.awaitReady(ctx, inst, spec)
	if failed == nil {
		return inst, nil
	}
	p.mu.Lock()
	p.inst = nil
	p.mu.Unlock()
	p.end(inst, p.grace(ctx, inst))
	return nil, failed
}

func (p *pool) awaitReady(ctx context.Context, inst *instance, spec launchSpec) *failure {
	limit := time.NewTimer(spec.template.ReadyLimit)
	defer limit.Stop()
	ticker := time.NewTicker(p.env.times.readyEvery)
	defer ticker.Stop()
	var last error
	for {
		if last = p.probe(ctx, inst); last == nil {
			if last = p.learnModels(ctx, inst, spec); last == nil {
				if inst.keyFile != "" {
					_ = os.Remove(inst.keyFile) // it was read; the end tries again
				}
				return nil
			}
		}
		select {
		case <-inst.exited():
			return classify(inst.process.State(), p.logs.last(classifiedLines))
		case <-ctx.Done():
			return &failure{ReasonExit, "the start was given up"}
		case <-limit.C:
			return &failure{ReasonHealth, fmt.Sprintf("not ready within %v: %v", spec.template.ReadyLimit, last)}
		case <-ticker.C:
		}
	}
}

// learnModels finds out which models the engine serves: the one it was started
// with, or those it lists.
func (p *pool) learnModels(ctx context.Context, inst *instance, spec launchSpec) error {
	if !spec.template.ListsModels {
		inst.models = []string{spec.model.ref}
		return nil
	}
	models, err := p.listModels(ctx, inst)
	if err != nil {
		return err
	}
	inst.models = models
	return nil
}

// watch guards a ready engine until it ends, fails its probes, or a command
// comes that needs it to end.
func (p *pool) watch(ctx context.Context, inst *instance, policy *restartPolicy) (command, *failure) {
	probes := time.NewTicker(p.env.times.liveEvery)
	defer probes.Stop()
	healthy := time.NewTimer(healthyAfter)
	defer healthy.Stop()
	misses := 0
	for {
		select {
		case <-ctx.Done():
			return command{verb: verbStop}, nil
		case <-inst.exited():
			return command{}, classify(inst.process.State(), p.logs.last(classifiedLines))
		case asked := <-p.commands:
			return asked, nil
		case <-healthy.C:
			policy.healthy()
			p.noteBreaker(policy)
		case <-p.kick: // asked to start what runs already
		case <-probes.C:
			err := p.probe(ctx, inst)
			if err == nil {
				misses = 0
				continue
			}
			if misses++; misses >= p.env.times.liveMisses {
				return command{}, &failure{ReasonHealth, fmt.Sprintf("%d probes failed: %v", misses, err)}
			}
		}
	}
}

func (p *pool) becomeReady(inst *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inst = inst
	p.set(StateReady)
}

// setFailed says why in the same moment: nobody reads a failed pool without it.
func (p *pool) setFailed(f *failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inst, p.lastErr = nil, f.Error()
	p.set(StateFailed)
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
	p.env.log.Warn("engine failed", "pool_id", p.id, "reason", f.reason, "error", f.text, "restart_in", wait)
	p.noteBreaker(policy)
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
