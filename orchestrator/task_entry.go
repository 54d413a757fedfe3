package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// settleTimeout bounds how long the end of a task waits for a store that is
	// gone; a leader's election in a cluster takes 4–8 s.
	settleTimeout = 15 * time.Second
	// keepRequest is up to which size of a record its request stays in memory
	// while the task waits: 40 MiB for 10,000 tasks. Others are read again.
	keepRequest = 4 << 10
	// resetLeap is how many ids are left out before the end of a task whose
	// runner was lost. It may have shown events that never reached the log; none
	// of their ids may become the end's, or a reader that resumes after such an
	// event would be told that it has seen the end. The log lacks at most what a
	// tail keeps.
	resetLeap = tailEvents
)

// taskEntry is a task in memory: its record, the revision that the next change must
// name, and what happens to it here.
type taskEntry struct {
	id    string
	owner string
	// writing is closed when the first record is on disk, or is not; nil for a
	// task that came from there.
	writing chan struct{}

	changing mutex[lockTaskChange] // one change at a time, held over the write

	mu       mutex[lockTask]
	task     Task         // while it runs here, perhaps newer than what is stored
	revision uint64       // 0: the first record is not there yet
	size     int64        // of the stored record
	allowed  bool         // it says that a dispatch here may show tokens
	waits    waiting      // what the queue needs to know
	request  *TaskRequest // of a small one that has not ended
	tail     *tail        // nil: nobody reads it here, and it does not run here
	unfeed   func()       // ends what feeds the tail from elsewhere
	run      *attempt     // from the moment it was placed here until that is settled
	stop     context.CancelCauseFunc
	done     chan struct{} // closed at the end; nil: nobody waits for it
	gone     bool          // the record is deleted
}

func (e *taskEntry) view() Task {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.task
}

// written waits until the first record is on disk, or is not: at most as long as
// the store's own bound.
func (e *taskEntry) written() {
	if e.writing != nil {
		<-e.writing
	}
}

// stored reports whether the task is on disk, and so may be seen.
func (e *taskEntry) stored() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.revision > 0
}

var (
	errEnded = errors.New("the task has ended")
	// errTaken is why a dispatch ends whose task somebody else has changed.
	errTaken = errors.New("the task is another replica's")
)

// change moves the task on: first on disk, by compare-and-set, then in memory.
// A task that has ended does not change any more (errEnded): that is what makes
// the end exactly one.
func (o *Orchestrator) change(ctx context.Context, e *taskEntry, f func(*Task)) (Task, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	return o.changeLocked(ctx, e, f)
}

// changeLocked is change with e.changing held.
func (o *Orchestrator) changeLocked(ctx context.Context, e *taskEntry, f func(*Task)) (Task, error) {
	return o.changeIf(ctx, e, anybodys, f)
}

// anybodys is for changes that may be made whoever runs the task.
func anybodys(Task) bool { return true }

// changeIf is changeLocked for a change that was decided on what the task was
// then: of one that is not so any more it changes nothing (errTaken). The revision
// does not tell, because memory follows what others write.
func (o *Orchestrator) changeIf(ctx context.Context, e *taskEntry, still func(Task) bool, f func(*Task)) (Task, error) {
	e.written()
	e.mu.Lock()
	task, revision, request, gone := e.task, e.revision, e.request, e.gone
	e.mu.Unlock()
	if gone || task.State.Ended() {
		return task, errEnded
	}
	if !still(task) {
		return task, errTaken
	}
	f(&task)
	if task.State.Ended() {
		request = nil
	} else if request == nil {
		var err error
		if request, err = o.readRequest(ctx, e); err != nil {
			return Task{}, err
		}
	}
	r := record{Task: task, Request: request}
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
	o.apply(e, r, revision, int64(len(value)), false)
	return task, nil
}

// reload takes over what somebody else wrote, or what we wrote ourselves when
// only the acknowledgement was lost.
func (o *Orchestrator) reload(ctx context.Context, e *taskEntry, cause error) error {
	stored, err := o.store.Bucket(store.Tasks).Get(ctx, e.id)
	if errors.Is(err, store.ErrNotFound) {
		return errEnded // and forgotten
	}
	if err != nil {
		return err
	}
	o.observe(stored)
	return fmt.Errorf("changing task %s: %w", e.id, cause)
}

// readRequest gives the request of a task that has not ended.
func (o *Orchestrator) readRequest(ctx context.Context, e *taskEntry) (*TaskRequest, error) {
	stored, err := o.store.Bucket(store.Tasks).Get(ctx, e.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errEnded
	}
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(stored.Value)
	if err != nil {
		return nil, err
	}
	if r.Request == nil {
		o.observe(stored)
		return nil, errEnded
	}
	return r.Request, nil
}

// end ends a task, once: record first, then the event, so that no crash shows
// an end that is not on disk. It tries again while the store is away.
func (o *Orchestrator) end(e *taskEntry, f func(*Task)) error { return o.endIf(e, anybodys, f) }

// endIf is end with changeIf's condition.
func (o *Orchestrator) endIf(e *taskEntry, still func(Task) bool, f func(*Task)) error {
	e.flush()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.lifecycle.ctx), settleTimeout)
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
	if task.State == Canceled {
		o.metrics.canceled.Inc()
	}
	o.log.Info("task ended", "task_id", e.id, "state", task.State, "identity", e.owner, "attempt", task.Attempt,
		"node_id", task.NodeID, "pool_id", task.PoolID, "tokens_out", task.TokensOut, "correlation_id", task.CorrelationID)
	return nil
}

// flush brings to the event log what the task has shown here. While nobody leads the
// log that takes longer than the end itself may.
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
	last, leap := task.shown(), uint64(0)
	switch {
	case task.State.Ended():
		return task, errEnded
	case !still(task):
		return task, errTaken
	case mine && t != nil && t.owned():
		last = t.seal()
	case task.begun(): // its runner is lost, and with it what it knew
		inLog, err := o.tails.lastEvent(ctx, e.id)
		if err != nil {
			return task, err
		}
		last, leap = max(last, inLog), resetLeap
	case o.store.Shared(): // somebody may be dispatching it, and have shown its start
		leap = 1 - last
	}
	return o.changeIf(ctx, e, still, func(t *Task) {
		f(t)
		now := o.now().UTC()
		t.EndedAt, t.LastEventID, t.leap = &now, last+leap+1, leap
	})
}
