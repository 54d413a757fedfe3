package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/llorch/gateway/orchestrator/store"
)

// settleTimeout bounds how long the end of a task waits for a store that is
// gone; a leader's election in a cluster takes 4–8 s.
const settleTimeout = 15 * time.Second

// entry is a task in memory: its record without the request, the revision that
// the next change must name, and its events.
type entry struct {
	id    string
	owner string

	changing sync.Mutex // one change at a time, held over the write

	mu       sync.Mutex
	task     Task
	revision uint64
	size     int64 // of the stored record
	tail     *tail // nil when it ended a while ago
	stop     context.CancelCauseFunc
}

func (e *entry) view() (Task, *tail) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.task, e.tail
}

var errEnded = errors.New("the task has ended")

// change moves the task on: first on disk, by compare-and-set, then in memory.
// request is kept in the record until the task has ended. A task that has ended
// does not change any more (errEnded): that is what makes the end exactly one.
func (o *Orchestrator) change(ctx context.Context, e *entry, request *TaskRequest, f func(*Task)) (Task, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	task, revision := e.task, e.revision
	e.mu.Unlock()
	if task.State.Ended() {
		return task, errEnded
	}
	f(&task)
	r := record{Task: task, Request: request}
	if task.State.Ended() {
		r.Request = nil
	}
	value, err := r.encode()
	if err != nil {
		return Task{}, err
	}
	revision, err = o.store.Bucket(store.Tasks).Update(ctx, e.id, value, revision)
	if errors.Is(err, store.ErrConflict) {
		return Task{}, o.reload(ctx, e, err)
	}
	if err != nil {
		return Task{}, err
	}
	e.mu.Lock()
	o.stored.Add(int64(len(value)) - e.size)
	e.task, e.revision, e.size = task, revision, int64(len(value))
	e.mu.Unlock()
	return task, nil
}

// reload takes over what somebody else wrote, or what we wrote ourselves when
// only the acknowledgement was lost.
func (o *Orchestrator) reload(ctx context.Context, e *entry, cause error) error {
	stored, err := o.store.Bucket(store.Tasks).Get(ctx, e.id)
	if err != nil {
		return err
	}
	r, err := decodeRecord(stored.Value)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.task, e.revision = r.Task, stored.Revision
	return fmt.Errorf("changing task %s: %w", e.id, cause)
}

// end ends a task, once: record first, then the event, so that no crash shows
// an end that is not on disk. It tries again while the store is away.
func (o *Orchestrator) end(e *entry, f func(*Task)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), settleTimeout)
	defer cancel()
	_, tail := e.view()
	task, err := backoff.Retry(ctx, func() (Task, error) {
		task, err := o.change(ctx, e, nil, func(t *Task) {
			f(t)
			now := o.now().UTC()
			t.EndedAt, t.LastEventID = &now, tail.seal()+1
		})
		if errors.Is(err, errEnded) {
			return task, backoff.Permanent(err)
		}
		return task, err
	})
	if err != nil {
		return err
	}
	final := task.terminal()
	tail.finish(final)
	o.retire(e)
	o.log.Info("task ended", "task_id", e.id, "state", task.State, "identity", e.owner, "attempt", task.Attempt,
		"node_id", task.NodeID, "pool_id", task.PoolID, "tokens_out", task.TokensOut, "correlation_id", task.CorrelationID)
	return nil
}

// retire gives up the tail of an ended task once the log has all of it. Readers
// that are on it keep it alive as long as they need.
func (o *Orchestrator) retire(e *entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), settleTimeout)
	defer cancel()
	if err := o.store.Events().Barrier(ctx); err != nil {
		o.log.Warn("event log is behind", "task_id", e.id, "error", err)
		return // the tail stays: memory is bounded by the number of kept tasks
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tail = nil
}

// newTailFor makes the tail of a task whose newest event has the given id.
func (o *Orchestrator) newTailFor(id string, last uint64) *tail {
	return newTail(last, func(record []byte) {
		if err := o.store.Events().Append(id, record); err != nil {
			o.log.Warn("event log is not written", "task_id", id, "error", err)
		}
	})
}
