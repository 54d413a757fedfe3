package orchestrator

import (
	"context"
	"errors"

	"github.com/cenkalti/backoff/v5"

	"github.com/llorch/gateway/orchestrator/store"
)

// end ends a task, once: record first, then the event, so that no crash shows an end
// that is not stored. It retries while the store is unavailable.
func (o *Orchestrator) end(e *taskEntry, f func(*Task)) error { return o.endIf(e, always, f) }

// endIf is end with changeIf's condition.
func (o *Orchestrator) endIf(e *taskEntry, still func(Task) bool, f func(*Task)) error {
	e.flush()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.lifecycle.ctx), persistTimeout)
	defer cancel()
	task, err := backoff.Retry(ctx, func() (Task, error) {
		task, err := o.endOnce(ctx, e, still, f)
		if errors.Is(err, errEnded) || errors.Is(err, errTaken) || errors.Is(err, store.ErrConflict) {
			return task, backoff.Permanent(err)
		}
		return task, err
	})
	if err != nil {
		return err
	}
	o.content.eraseBody(task)
	if task.State == Canceled {
		o.metrics.canceled.Inc()
	}
	o.metrics.ends.count(task)
	o.logEnd(e, task)
	return nil
}

// logEnd logs the end of a task, and of a failed one why. The message is ours: an engine's
// words are in the task's record, see failedBy.
func (o *Orchestrator) logEnd(e *taskEntry, t Task) {
	fields := []any{"task_id", e.id, "state", t.State, "identity", e.owner, "attempt", t.Attempt,
		"node_id", t.NodeID, "pool_id", t.PoolID, "tokens_out", t.TokensOut, "correlation_id", t.CorrelationID}
	if t.State == Failed && t.Error != nil {
		fields = append(fields, "code", t.Error.Code, "message", t.failure)
	}
	o.log.Info("task ended", fields...)
}

// flush writes to the event log what the task has shown here. While the log has no
// leader, that takes longer than the end itself may.
func (e *taskEntry) flush() {
	e.mu.Lock()
	t, mine := e.tail, e.run != nil
	e.mu.Unlock()
	if mine && t != nil && t.owned() {
		t.flush()
	}
}

func (o *Orchestrator) endOnce(ctx context.Context, e *taskEntry, still func(Task) bool, f func(*Task)) (Task, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	task, t, mine := e.task, e.tail, e.run != nil
	e.mu.Unlock()
	last, leap, outputs := task.firstEventID(), uint64(0), 0
	switch {
	case task.State.Ended():
		return task, errEnded
	case !still(task):
		return task, errTaken
	case mine && t != nil && t.owned():
		last = t.seal()
	case task.mayHaveShown(): // its runner is lost, and with it what it knew
		inLog, shown, err := o.tails.stored(ctx, e)
		if err != nil {
			return task, err
		}
		last, leap, outputs = max(last, inLog), resetLeap, shown
	case o.store.Shared(): // another replica may be dispatching it, and have shown its start
		leap = 1 - last
	}
	return o.changeIf(ctx, e, still, func(t *Task) {
		f(t)
		if t.TokensOut == 0 && outputs > 0 && t.generates() {
			t.TokensOut, t.TokensEstimated = outputs, true
		}
		now := o.now().UTC()
		t.EndedAt, t.LastEventID, t.leap = &now, last+leap+1, leap
	})
}
