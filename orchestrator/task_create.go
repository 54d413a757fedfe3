package orchestrator

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

// place is a task's position in the queue at its admission, and whether it still
// waits. To look it up later costs a walk past all tasks before it.
type place struct {
	position int
	waits    bool
}

// create persists a task and puts it into the queue, with the capacity that was
// reserved; it gives that back when it fails, and the key that it has made.
func (o *Orchestrator) create(ctx context.Context, who Who, r TaskRequest, named bool) (e *taskEntry, at place, err error) {
	if err := o.taken(who, r); err != nil { // before it costs a key
		o.queue.release(who.Identity)
		return nil, place{}, err
	}
	if r.content.Key == "" {
		defer func() {
			if err != nil && !errors.Is(err, store.ErrUnavailable) { // else the record may be there
				o.content.doom(r.content.Key)
			}
		}()
	}
	if err := o.sealRequest(ctx, &r); err != nil {
		o.queue.release(who.Identity)
		return nil, place{}, err
	}
	rec := o.draft(ctx, who, r)
	needs, _ := o.runnable(r.needs(r.ModelRef))
	if !o.store.Shared() && o.nodes.slots(needs) > o.queue.size() {
		rec.State, rec.runner, rec.mayShow = Running, o.replica, true // it may be dispatched here without another write
	}
	value, err := rec.encode()
	if err == nil {
		err = o.fits(rec, len(value))
	}
	if err == nil {
		err = o.sessions.take(ctx, who, r.SessionID, named)
	}
	if err != nil {
		o.queue.release(who.Identity)
		return nil, place{}, err
	}
	// A caller that hangs up now must not leave a record without a queued task.
	ctx = context.WithoutCancel(ctx)
	put := o.createOptimistic
	if o.store.Shared() {
		put = o.createDurable
	}
	e, at, err = put(ctx, rec, value)
	if err != nil {
		o.sessions.giveBack(ctx, r.SessionID)
	}
	return e, at, err
}

// taken refuses a task whose id, or session, is known here to be taken.
func (o *Orchestrator) taken(who Who, r TaskRequest) error {
	if e := o.tasks.get(r.TaskID); e != nil && e.stored() {
		return store.ErrExists
	}
	return o.sessions.admits(who, r.SessionID)
}

// draft is the first record of a task.
func (o *Orchestrator) draft(ctx context.Context, who Who, r TaskRequest) record {
	now := o.now().UTC()
	return record{Request: &r, Task: Task{
		TaskID: r.TaskID, Owner: who.Identity, SessionID: r.SessionID, CorrelationID: authmin.CorrelationID(ctx), Traceparent: traceparent(ctx),
		State: Queued, Workload: r.Workload, ModelRef: r.ModelRef, Priority: r.Priority, Engine: r.Engine, MaxTokens: r.MaxTokens, Sampling: r.sampling(),
		Protocol: r.protocol(), content: r.content,
		CreatedAt: now, DeadlineAt: now.Add(time.Duration(r.DeadlineMS) * time.Millisecond),
	}}
}

// fits refuses what is too large for a pool, and what exceeds the bounds on storage.
func (o *Orchestrator) fits(rec record, size int) error {
	if rec.Request.call == nil && size > maxDispatchBytes && rec.Request.dispatchBytes() > maxDispatchBytes {
		return o.rejected(*rec.Request, "too_large", fail(TooLarge, "TASK_TOO_LARGE", "the dispatch request of the task would be over %d bytes", maxDispatchBytes))
	}
	if !o.tasks.bytes.Admits(rec.Owner, int64(size)) {
		return o.rejected(*rec.Request, "store_full", fail(Unavailable, "STORE_FULL", "too many bytes of tasks are kept, or too many of yours; send it again later"))
	}
	return nil
}

// createDurable puts a task into the queue that is on disk. Where others write too, memory
// follows what the store says, and never goes ahead of it.
func (o *Orchestrator) createDurable(ctx context.Context, rec record, value []byte) (*taskEntry, place, error) {
	revision, err := o.store.Bucket(store.Tasks).Create(ctx, rec.TaskID, value)
	if err != nil {
		o.queue.release(rec.Owner)
		return nil, place{}, err
	}
	e, _ := o.tasks.add(&taskEntry{id: rec.TaskID, owner: rec.Owner})
	o.apply(e, rec, revision, int64(len(value)), true)
	position, waits := o.queue.position(e.id)
	return e, place{position, waits}, nil
}

// createOptimistic puts a task into the queue while it is being written, so that an engine
// that is free need not wait for the disk. Until the record is there the task is
// not found, nothing of it is shown and nothing more is written (see written); if
// the write fails, there is no trace of the task.
func (o *Orchestrator) createOptimistic(ctx context.Context, rec record, value []byte) (*taskEntry, place, error) {
	e, position, err := o.addOptimistic(rec, int64(len(value)))
	if err != nil {
		o.queue.release(rec.Owner)
		return nil, place{}, err
	}
	revision, err := o.store.Bucket(store.Tasks).Create(ctx, e.id, value)
	if err != nil {
		o.drop(e.id, 0)
		close(e.firstWrite)
		return nil, place{}, err
	}
	waits := e.arrived(revision)
	if waits && rec.mayShow {
		// Another task took the slot. After a crash this one must not count as running.
		if _, err := o.change(ctx, e, func(*Task) {}); err != nil {
			o.log.Warn("could not persist waiting state", "task_id", e.id, "error", err)
		}
	}
	return e, place{position, waits}, nil
}

// arrived notes that the first record is stored, and reports whether the task still
// waits.
func (e *taskEntry) arrived(revision uint64) (waits bool) {
	defer close(e.firstWrite)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.revision, waits = revision, e.run == nil
	if waits {
		e.mayShow = false
	}
	if waits && e.size > keepRequest {
		e.request = nil
	}
	return waits
}

// addOptimistic makes the entry of a task that is about to be written, and its place in
// the queue. Another task of the same id is waited for: it may come to nothing.
func (o *Orchestrator) addOptimistic(rec record, size int64) (_ *taskEntry, position int, err error) {
	e := &taskEntry{id: rec.TaskID, owner: rec.Owner, firstWrite: make(chan struct{}), task: rec.Task, size: size, mayShow: rec.mayShow, request: rec.Request}
	backToQueue(&e.task)
	e.waits = o.waitsFor(e.task, *rec.Request)
	for other, added := o.tasks.add(e); !added; other, added = o.tasks.add(e) {
		if other.awaitFirstWrite(); other.stored() {
			return nil, 0, store.ErrExists
		}
	}
	o.tasks.bytes.Add(e.owner, size)
	e.mu.Lock()
	o.content.count(e)
	e.mu.Unlock()
	position = o.queue.push(e.waits)
	o.scheduler.wake()
	if rec.mayShow {
		runtime.Gosched() // the dispatch goes first: it has further to go than the disk
	}
	return e, position, nil
}
