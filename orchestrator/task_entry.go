package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// persistTimeout bounds how long a write that must happen waits for an unavailable
	// store; a leader's election takes up to 9 s in an existing NATS cluster.
	persistTimeout = 15 * time.Second
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
	firstWrite chan struct{}

	changing mutex[lockTaskChange] // one change at a time, held over the write

	mu       mutex[lockTask]
	task     Task         // while it runs here, perhaps newer than what is stored
	revision uint64       // 0: the first record is not there yet
	size     int64        // of the stored record
	body     int64        // bytes of the request's body that count for the owner
	mayShow  bool         // it says that a dispatch here may show tokens
	waits    waiting      // what the queue needs to know
	request  *TaskRequest // of a small one that has not ended
	tail     *tail        // nil: it has no reader here, and does not run here
	stopFeed func()       // ends what feeds the tail from elsewhere
	run      *attempt     // from its placement here to the end of that dispatch
	stop     context.CancelCauseFunc
	done     chan struct{} // closed at the end; nil: no caller waits for it
	gone     bool          // the record is deleted
	erased   bool          // its events are
}

func (e *taskEntry) view() Task {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.task
}

// awaitFirstWrite waits until the first record is on disk, or is not: at most as long as
// the store's own bound.
func (e *taskEntry) awaitFirstWrite() {
	if e.firstWrite != nil {
		<-e.firstWrite
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
	// errTaken ends a dispatch whose task another replica has changed.
	errTaken = errors.New("task is owned by another replica")
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
	return o.changeIf(ctx, e, always, f)
}

// always is the condition of changes that do not depend on the task's runner.
func always(Task) bool { return true }

// changeIf is changeLocked for a change with a condition: if it no longer holds, the
// task is left as it is (errTaken). The revision does not show that, because memory
// follows what other replicas write.
func (o *Orchestrator) changeIf(ctx context.Context, e *taskEntry, still func(Task) bool, f func(*Task)) (Task, error) {
	e.awaitFirstWrite()
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

// reload takes over what another replica wrote, or what this one wrote when only the
// acknowledgement was lost.
func (o *Orchestrator) reload(ctx context.Context, e *taskEntry, cause error) error {
	stored, err := o.store.Bucket(store.Tasks).Get(ctx, e.id)
	if errors.Is(err, store.ErrNotFound) {
		return errEnded // and was deleted
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
