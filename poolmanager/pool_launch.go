package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// loadFloor is the slowest disk that an engine may have to read its model from,
// in bytes a second: half of what one hard disk gives. The time to become ready
// grows with the model's size by it.
const loadFloor = 50 << 20

// stageFunc stages a model's file on this node and gives its path.
type stageFunc func(ctx context.Context, ref string, progress func(doneBytes, totalBytes int64)) (string, error)

// readyLimit is how long the engine may take to become ready.
func (s launchSpec) readyLimit() time.Duration {
	return s.template.ReadyLimit + time.Duration(float64(s.size)/loadFloor*float64(time.Second))
}

// launch stages the model, reserves memory, starts an engine and waits until it is
// ready. On a failure, or when ctx ends, no engine is left. errUnwanted is no failure
// of the engine: its tasks are gone.
func (p *pool) launch(ctx context.Context, spec launchSpec) (*instance, error) {
	spec, err := p.fetch(ctx, spec)
	if err != nil {
		return nil, &failure{ReasonStart, err.Error()}
	}
	reserved, err := p.reserveMemory(ctx, spec)
	switch {
	case errors.Is(err, errUnwanted):
		return nil, errUnwanted
	case errors.Is(err, errNoMemory):
		return nil, &failure{ReasonMemory, err.Error()}
	case err != nil:
		return nil, &failure{ReasonExit, "the start was given up"}
	}
	begin := time.Now()
	p.setProgress(&nodeapi.Progress{Phase: nodeapi.PhaseStarting, TotalBytes: spec.size})
	inst, err := p.env.engines.spawn(p.id, spec, p.logs)
	if err != nil {
		p.env.ledger.dropped(reserved)
		return nil, &failure{ReasonStart, err.Error()}
	}
	p.mu.Lock()
	p.inst = inst
	if reserved != nil {
		p.bytes = reserved.need
	}
	p.mu.Unlock()
	if failed := p.awaitReady(ctx, inst, spec); failed != nil {
		p.gone()
		p.env.engines.end(p.id, inst, p.grace(ctx, inst))
		p.env.ledger.dropped(reserved)
		return nil, failed
	}
	p.becomeReady(inst, time.Since(begin))
	if took := p.env.ledger.loaded(ctx, reserved); took > 0 {
		p.mu.Lock()
		p.bytes = took
		p.mu.Unlock()
	}
	return inst, nil
}

// fetch finds the model's file, after downloading it if need be, and its size.
func (p *pool) fetch(ctx context.Context, spec launchSpec) (launchSpec, error) {
	if spec.model.inCatalog() {
		if p.env.stage == nil {
			return spec, errors.New("no model root is configured to download to")
		}
		p.setProgress(&nodeapi.Progress{Phase: nodeapi.PhaseDownloading})
		path, err := p.env.stage(ctx, spec.model.ref, func(done, total int64) {
			p.setProgress(&nodeapi.Progress{Phase: nodeapi.PhaseDownloading, DoneBytes: done, TotalBytes: total})
		})
		if err != nil {
			return spec, err
		}
		spec.model.path = path
	}
	spec.size = 0
	if spec.model.path != "" {
		info, err := os.Stat(spec.model.path)
		if err != nil {
			return spec, fmt.Errorf("looking at the model's file: %w", err)
		}
		spec.size = info.Size()
	}
	return spec, nil
}

// prefetch stages the model of a reload while the old one serves. A stop of the pool
// ends it.
func (p *pool) prefetch(ctx context.Context, spec launchSpec) error {
	if p.env.stage == nil || !spec.model.inCatalog() {
		return nil
	}
	p.mu.Lock()
	ready, done := p.state == StateReady, p.done
	p.mu.Unlock()
	if !ready {
		return errNotReady
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-done:
			cancel(errNotReady)
		case <-stopped:
		}
	}()
	defer p.setProgress(nil)
	_, err := p.env.stage(ctx, spec.model.ref, func(done, total int64) {
		p.setProgress(&nodeapi.Progress{Phase: nodeapi.PhaseDownloading, DoneBytes: done, TotalBytes: total})
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// reserveMemory waits for the engine's memory. A task waits for a while, an operator
// as long as the engine could take to become ready.
func (p *pool) reserveMemory(ctx context.Context, spec launchSpec) (*reservation, error) {
	p.setWaitsForMemory(true)
	defer p.setWaitsForMemory(false)
	return p.env.ledger.admit(ctx, p, spec, spec.readyLimit())
}

func (p *pool) setWaitsForMemory(waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waitsForMemory = waits
	p.announce()
}

func (p *pool) setProgress(now *nodeapi.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress = now
}

func (p *pool) awaitReady(ctx context.Context, inst *instance, spec launchSpec) *failure {
	limit := time.NewTimer(spec.readyLimit())
	defer limit.Stop()
	ticker := time.NewTicker(p.env.times.readyEvery)
	defer ticker.Stop()
	var last error
	for {
		if last = p.env.engines.probe(ctx, inst); last == nil {
			if last = p.learnModels(ctx, inst); last == nil {
				inst.keyRead()
				return nil
			}
		}
		p.noteUnanswered(last)
		select {
		case <-inst.gone:
			failed := inst.why()
			failed.text += p.lastOutput()
			return failed
		case <-ctx.Done():
			return &failure{ReasonExit, "the start was given up"}
		case <-limit.C:
			return &failure{ReasonHealth, fmt.Sprintf("not ready within %v: %v", spec.readyLimit(), last)}
		case <-ticker.C:
		}
	}
}

// maxLastOutput bounds the engine's output in an error, in bytes.
const maxLastOutput = 200

// lastOutput is the last line of an engine that was never ready: it explains more than
// an exit code, and cannot have text of a task.
func (p *pool) lastOutput() string {
	for _, line := range slices.Backward(p.logs.lastOutput(classifiedLines)) {
		if line = strings.TrimSpace(line); line != "" {
			return "; it said: " + authmin.CleanText(line, maxLastOutput) // it is printed to terminals
		}
	}
	return ""
}

// learnModels finds out which models the engine serves: the one it was started
// with, or those it lists. A change is announced.
func (p *pool) learnModels(ctx context.Context, inst *instance) error {
	models := []string{p.wanted().model.ref}
	if inst.template.ListsModels {
		var err error
		if models, err = p.env.engines.models(ctx, inst); err != nil {
			return err
		}
	}
	contexts := p.env.engines.contexts(ctx, inst, models)
	var listed []nodeapi.ListedModel
	if slices.Contains(inst.template.protocols(), nodeapi.Ollama) {
		listed = p.env.engines.listed(ctx, inst)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed = listed
	p.noteUnusable(inst.unusable)
	if !slices.Equal(p.models, models) || !maps.Equal(p.contexts, contexts) {
		p.models, p.contexts = models, maps.Clone(contexts)
		p.env.changed()
	}
	return nil
}

// maxUnusable bounds the names of models in one line of the log, and maxUnusableName
// each of them, in bytes.
const (
	maxUnusable     = 8
	maxUnusableName = 64
)

// noteUnusable logs which listed models are ignored: once for each set, not at each
// probe. The caller holds the lock.
func (p *pool) noteUnusable(names []string) {
	if slices.Equal(p.unusable, names) {
		return
	}
	p.unusable = names
	if len(names) == 0 {
		return
	}
	shown := make([]string, 0, maxUnusable)
	for _, name := range names[:min(len(names), maxUnusable)] {
		shown = append(shown, authmin.CleanField(name, maxUnusableName))
	}
	p.env.log.Warn("ignoring models that no task can name: a name has up to seven parts with / or : between them, each of letters, digits and . _ @ + -",
		"pool_id", p.id, "count", len(names), "names", shown)
}

// becomeReady opens the pool for tasks.
func (p *pool) becomeReady(inst *instance, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.inst, p.readyAt, p.used, p.loadTook = inst, now, now, took
	p.clearStalls()
	p.set(StateReady)
}

// gone records that no engine runs any more.
func (p *pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inst, p.bytes = nil, 0
}
