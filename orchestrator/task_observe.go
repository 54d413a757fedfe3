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
	if e := o.known(s.Key); e != nil && e.knows(s.Revision) {
		return
	}
	r, err := decodeRecord(s.Value)
	if err != nil {
		o.log.Error("a task's record is not readable", "key", s.Key, "error", err)
		return
	}
	o.apply(o.enter(r.Task), r, s.Revision, int64(len(s.Value)), false)
}

func (e *entry) knows(revision uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return revision <= e.revision
}

// known gives the entry of a task, also while its record is being written.
func (o *Orchestrator) known(id string) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tasks[id]
}

// enter gives the entry of a task, a new one if need be.
func (o *Orchestrator) enter(t Task) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.tasks[t.TaskID]
	if e == nil {
		e = &entry{id: t.TaskID, owner: t.Owner}
		o.tasks[e.id] = e
	}
	return e
}

// apply makes a stored record what memory knows, unless that is newer, and does
// here what follows from it. reserved says that room in the queue was taken.
func (o *Orchestrator) apply(e *entry, r record, revision uint64, size int64, reserved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if revision <= e.revision || e.gone {
		if reserved {
			o.queue.release(e.owner)
		}
		return
	}
	before := e.task
	o.stored.Add(e.owner, size-e.size)
	e.task, e.revision, e.size = r.Task, revision, size
	e.allowed = r.mayShow && r.runner == o.me
	if before.StartedAt == nil && r.StartedAt != nil && before.TaskID != "" { // it runs elsewhere
		o.pace.started(o.now(), r.StartedAt.Sub(r.CreatedAt) > tick)
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
	if before.TaskID == "" && o.loading == nil && o.store.Shared() {
		o.sessions.seen(e.task)
	}
	if r.State == Running {
		o.queue.remove(e.id)
		o.running.Store(e.id, e)
	} else {
		o.running.Delete(e.id)
		o.enqueue(e, reserved)
	}
	o.interfere(e)
}

// interfere ends a dispatch here whose task is no longer ours, or not wanted any
// more. e.mu is held, here and below.
func (o *Orchestrator) interfere(e *entry) {
	if e.run == nil || e.stop == nil {
		return
	}
	switch t := e.task; {
	case t.State.Ended(), e.gone:
		e.stop(errEnded)
	case t.State == Running && t.runner != o.me, t.State == Queued && e.run.noted:
		e.stop(errTaken)
	case t.cancelRequested:
		e.stop(errCanceled)
	}
}

// enqueue puts a waiting task into the queue, unless it is being dispatched.
func (o *Orchestrator) enqueue(e *entry, reserved bool) {
	switch {
	case e.run != nil:
	case reserved:
		o.queue.push(e.waits)
	case o.loading != nil:
		o.loading = append(o.loading, e)
	default:
		o.queue.restore(e.waits, e.task.Attempt > 0)
	}
	o.poke()
}

// ended does what follows from an end that is on disk.
func (o *Orchestrator) ended(e *entry) {
	o.queue.remove(e.id)
	o.running.Delete(e.id)
	e.request, e.waits = nil, waiting{}
	o.interfere(e)
	if e.tail != nil {
		e.tail.finish(e.task.terminal(), e.task.whole())
		if e.tail.owned() {
			o.retire(e)
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
func (e *entry) waitEnd() <-chan struct{} {
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
	o.mu.Lock()
	e := o.tasks[id]
	if e == nil || e.knows(revision+1) { // made again since then
		o.mu.Unlock()
		return
	}
	delete(o.tasks, id)
	o.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = true
	o.stored.Add(e.owner, -e.size)
	e.size = 0
	o.queue.remove(id)
	o.running.Delete(id)
	if e.stop != nil {
		e.stop(errEnded)
	}
}

// loaded puts the tasks of the first listing into the queue, the oldest first.
func (o *Orchestrator) loaded() {
	all := o.loading
	o.loading = nil
	slices.SortFunc(all, func(a, b *entry) int { return a.view().CreatedAt.Compare(b.view().CreatedAt) })
	for _, e := range all {
		e.mu.Lock()
		if e.task.State == Queued {
			o.enqueue(e, false)
		}
		e.mu.Unlock()
	}
}
