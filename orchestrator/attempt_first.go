package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// allowOutput is called before each output. Before a reader sees the first one, the
// record says that this dispatch shows tokens: after a crash the task must not run a
// second time and contradict them. When two replicas run the task, each believing
// that the other is lost, only one of these writes succeeds.
func (a *attempt) allowOutput(ctx context.Context) error {
	if err := a.o.scheduler.awaitShow(ctx); err != nil || a.first {
		return err
	}
	a.e.changing.Lock()
	defer a.e.changing.Unlock()
	task, err := a.noteOrWrite(ctx, a.o.now().UTC())
	if err != nil {
		return err
	}
	a.first = true
	if err := a.o.scheduler.awaitShow(ctx); err != nil { // it took long
		return err
	}
	if task.generates() && a.call.error == nil { // an engine's refusal is no token
		a.o.metrics.firstToken.Observe(task.FirstTokenAt.Sub(task.CreatedAt))
	}
	return nil
}

// noteOrWrite notes the first token in memory if that is enough, or else persists
// it; the dispatch waits for an unavailable store, as its end would.
func (a *attempt) noteOrWrite(ctx context.Context, now time.Time) (Task, error) {
	if a.allowed() {
		return a.noteFirst(now)
	}
	again := time.NewTicker(storePause)
	defer again.Stop()
	for end := time.Now().Add(persistTimeout); ; {
		task, err := a.writeFirst(now)
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(end) {
			return task, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return Task{}, err
		}
	}
}

// noteFirst notes the first token in memory; the next write takes it along.
func (a *attempt) noteFirst(now time.Time) (Task, error) {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	t := &a.e.task
	if a.e.run != a || !a.owns(*t) {
		return Task{}, errTaken
	}
	t.FirstTokenAt = &now
	return *t, nil
}

// writeFirst persists the first token.
func (a *attempt) writeFirst(now time.Time) (Task, error) {
	ctx, cancel := a.o.lifecycle.persistContext()
	defer cancel()
	first := func(t *Task) { t.FirstTokenAt = &now }
	task, err := a.o.changeIf(ctx, a.e, a.owns, first)
	if errors.Is(err, store.ErrConflict) && a.isOwnWrite() {
		task, err = a.o.changeIf(ctx, a.e, a.owns, first)
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, errEnded) || errors.Is(err, errTaken) {
		return Task{}, errTaken
	}
	if err != nil {
		return Task{}, fmt.Errorf("%w: %w", errNotTheNode, err)
	}
	a.written = true
	return task, nil
}
