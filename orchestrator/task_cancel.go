package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// errCanceled is why a canceled task's dispatch ends.
var errCanceled = errors.New("canceled by its owner")

// Cancel ends a task that waits or runs, wherever it runs; one that has ended
// stays as it is. It returns when the end is stored, and continues when its caller
// hangs up.
func (o *Orchestrator) Cancel(_ context.Context, who Who, id string) error {
	e, err := o.find(who, id)
	if err != nil {
		return err
	}
	ctx, cancel := o.lifecycle.persistContext()
	defer cancel()
	again := time.NewTicker(tick)
	defer again.Stop()
	for {
		err := o.askToEnd(ctx, e)
		if err != nil && !errors.Is(err, errEnded) && !errors.Is(err, store.ErrConflict) {
			return err
		}
		select {
		case <-e.waitEnd():
			return nil
		case <-again.C:
		case <-ctx.Done():
			e := fail(Unavailable, "CANCEL_PENDING", "the task's replica does not answer; the task ends when another takes over")
			e.RetryAfter = time.Second
			return e
		}
	}
}

// Erase cancels a task if it has not ended, and removes its request and its events. Its
// record stays, without content, until its retention ends.
func (o *Orchestrator) Erase(ctx context.Context, who Who, id string) error {
	if err := o.Cancel(ctx, who, id); err != nil {
		return err
	}
	e, err := o.find(who, id)
	if err != nil {
		return err
	}
	task := e.view()
	o.content.eraseBody(task)
	ctx, cancel := o.lifecycle.persistContext()
	defer cancel()
	if task.content.Key != "" {
		if err := o.store.Keys().Destroy(ctx, task.content.Key); err != nil {
			return err
		}
		o.content.compactSoon()
	}
	if err := o.store.Events().Forget(ctx, e.id); err != nil {
		return err
	}
	e.erase()
	return nil
}

// askToEnd cancels a task that is here, or asks its replica to.
func (o *Orchestrator) askToEnd(ctx context.Context, e *taskEntry) error {
	e.mu.Lock()
	here, asked, state := e.run != nil, e.task.cancelRequested, e.task.State
	if here && !state.Ended() {
		e.task.cancelRequested = true
		o.interfere(e) // hangs up on the pool manager, which frees the slot
	}
	e.mu.Unlock()
	switch {
	case state.Ended() || here || asked && state == Running:
		return nil
	case state == Queued:
		return o.end(e, canceled)
	}
	_, err := o.change(ctx, e, func(t *Task) { t.cancelRequested = true })
	return err
}
