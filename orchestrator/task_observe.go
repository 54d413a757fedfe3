package orchestrator

import (
	"slices"

	"github.com/llorch/gateway/orchestrator/store"
)

// observe takes a task's record from the store into memory. It and apply are the
// only ways: a record changes memory alike, once, and never back, whether this replica
// wrote it or another.
func (o *Orchestrator) observe(s store.Entry) {
	if s.Deleted {
		o.drop(s.Key, s.Revision)
		return
	}
	if e := o.tasks.get(s.Key); e != nil && e.hasRevision(s.Revision) {
		return
	}
	r, err := decodeRecord(s.Value)
	if err != nil {
		o.log.Error("decoding task record", "key", s.Key, "error", err)
		return
	}
	e, _ := o.tasks.add(&taskEntry{id: r.TaskID, owner: r.Owner})
	o.apply(e, r, s.Revision, int64(len(s.Value)), false)
}

func (e *taskEntry) hasRevision(revision uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return revision <= e.revision
}

// apply takes a stored record into memory, unless memory has a newer one, and updates
// queue, dispatch and tail. reserved says that its place in the queue was reserved.
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
	o.content.count(e)
	e.mayShow = r.mayShow && r.runner == o.replica
	if before.StartedAt == nil && r.StartedAt != nil && before.TaskID != "" { // it runs elsewhere
		o.scheduler.pace.started(o.now(), r.StartedAt.Sub(r.CreatedAt) > tick)
	}
	if r.State.Ended() {
		o.applyEnd(e)
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

// drop forgets a task whose record was deleted at that revision.
func (o *Orchestrator) drop(id string, revision uint64) {
	o.tasks.mu.Lock()
	e := o.tasks.byID[id]
	if e == nil || e.hasRevision(revision+1) { // made again since then
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
	o.content.count(e)
	o.queue.remove(id)
	o.tasks.running.Delete(id)
	if e.stop != nil {
		e.stop(errEnded)
	}
}

// queueLoaded puts the tasks of the first listing into the queue, the oldest first.
func (o *Orchestrator) queueLoaded() {
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
