package orchestrator

import (
	"slices"

	"github.com/llorch/gateway/orchestrator/store"
)

// observe takes a task's record from the store into memory. It and apply are the
// only ways: whoever wrote it, this replica or another, a record changes memory
// alike, once, and never back.
func (o *Orchestrator) observe(s store.Entry) {
	if s.Deleted {
		o.drop(s.Key, s.Revision)
		return
	}
	if e := o.tasks.get(s.Key); e != nil && e.knows(s.Revision) {
		return
	}
	r, err := decodeRecord(s.Value)
	if err != nil {
		o.log.Error("a task's record is not readable", "key", s.Key, "error", err)
		return
	}
	e, _ := o.tasks.add(&taskEntry{id: r.TaskID, owner: r.Owner})
	o.apply(e, r, s.Revision, int64(len(s.Value)), false)
}

func (e *taskEntry) knows(revision uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return revision <= e.revision
}

// apply makes a stored record what memory knows, unless that is newer, and does
// here what follows from it. reserved says that room in the queue was taken.
func (o *Orchestrator) apply(e *taskEntry, r record, revision uint64, size int64, reserved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if revision <= e.revision || e.gone {
		if reserved {
			o.queue.release(e.owner)
		}
		return
	}
	before := e.task
	o.tasks.bytes.Add(e.owner, size-e.size)
	e.task, e.revision, e.size = r.Task, revision, size
	e.allowed = r.mayShow && r.runner == o.replica
	if before.StartedAt == nil && r.StartedAt != nil && before.TaskID != "" { // it runs elsewhere
		o.scheduler.pace.started(o.now(), r.StartedAt.Sub(r.CreatedAt) > tick)
	}
	if r.State.Ended() {
		o.ended(e)
		return
	}
	if e.waits.id == "" && r.Request != nil {
		e.waits = o.waitsFor(e.task, *r.Request)
	}
	if e.run == nil && size <= keepRequest {
		e.request = r.Request
	}
	if before.TaskID == "" && o.tasks.loading == nil && o.store.Shared() {
		o.sessions.seen(e.task)
	}
	if r.State == Running {
		o.queue.remove(e.id)
		o.tasks.running.Store(e.id, e)
	} else {
		o.tasks.running.Delete(e.id)
		o.enqueue(e, reserved)
	}
	o.interfere(e)
}

// interfere ends a dispatch here whose task is no longer ours, or not wanted any
// more. e.mu is held, here and below.
func (o *Orchestrator) interfere(e *taskEntry) {
	if e.run == nil || e.stop == nil {
		return
	}
	switch t := e.task; {
	case t.State.Ended(), e.gone:
		e.stop(errEnded)
	case t.State == Running && t.runner != o.replica, t.State == Queued && e.run.noted:
		e.stop(errTaken)
	case t.cancelRequested:
		e.stop(errCanceled)
	}
}

// enqueue puts a waiting task into the queue, unless it is being dispatched.
func (o *Orchestrator) enqueue(e *taskEntry, reserved bool) {
	switch {
	case e.run != nil:
	case reserved:
		o.queue.push(e.waits)
	case o.tasks.loading != nil:
		o.tasks.loading = append(o.tasks.loading, e)
	default:
		o.queue.restore(e.waits, e.task.Attempt > 0)
	}
	o.scheduler.wake()
}

// ended does what follows from an end that is on disk.
func (o *Orchestrator) ended(e *taskEntry) {
	o.queue.remove(e.id)
	o.tasks.running.Delete(e.id)
	e.request, e.waits = nil, waiting{}
	o.interfere(e)
	if e.tail != nil {
		e.tail.finish(e.task.terminal(), e.task.whole())
		if e.tail.owned() {
			o.tails.release(e)
		} else {
			e.tail = nil
		}
	}
	if e.done != nil {
		close(e.done)
		e.done = nil
	}
}

// waitEnd gives a channel that is closed when the task has ended.
func (e *taskEntry) waitEnd() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.task.State.Ended() {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if e.done == nil {
		e.done = make(chan struct{})
	}
	return e.done
}

// drop forgets a task whose record was deleted at that revision.
func (o *Orchestrator) drop(id string, revision uint64) {
	o.tasks.mu.Lock()
	e := o.tasks.byID[id]
	if e == nil || e.knows(revision+1) { // made again since then
		o.tasks.mu.Unlock()
		return
	}
	delete(o.tasks.byID, id)
	o.tasks.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = true
	o.tasks.bytes.Add(e.owner, -e.size)
	e.size = 0
	o.queue.remove(id)
	o.tasks.running.Delete(id)
	if e.stop != nil {
		e.stop(errEnded)
	}
}

// loaded puts the tasks of the first listing into the queue, the oldest first.
func (o *Orchestrator) loaded() {
	all := o.tasks.loading
	o.tasks.loading = nil
	slices.SortFunc(all, func(a, b *taskEntry) int { return a.view().CreatedAt.Compare(b.view().CreatedAt) })
	for _, e := range all {
		e.mu.Lock()
		if e.task.State == Queued {
			o.enqueue(e, false)
		}
		e.mu.Unlock()
	}
}
