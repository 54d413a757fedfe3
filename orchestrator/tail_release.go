package orchestrator

import (
	"math"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// maxTaskBytes bounds the records of all tasks. The bucket holds half as
	// much again, so that a task that was taken can always be written to.
	maxTaskBytes = 1 << 30
	// releasePause is how long ended tasks are collected before the log is
	// asked whether it has all of their events.
	releasePause = 20 * time.Millisecond
)

// forget removes a task, with its events and its key.
func (o *Orchestrator) forget(id string) error {
	return o.forgetEntry(id, o.tasks.get(id))
}

// forgetEntry is forget with what memory had of the task before: the watch may drop it as
// soon as the record is deleted, and it names the key.
func (o *Orchestrator) forgetEntry(id string, e *taskEntry) error {
	if err := o.store.Bucket(store.Tasks).Delete(o.lifecycle.ctx, id); err != nil {
		return err
	}
	if e != nil {
		o.content.doom(e.view().content.Key)
	}
	o.drop(id, math.MaxUint64-1)
	return o.store.Events().Forget(o.lifecycle.ctx, id)
}

// release drops the tails of tasks that have ended here, once the log has all of their
// events. Readers that are on a tail keep it alive as long as they need.
func (ts *tails) release(ended ...*taskEntry) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.ended = append(ts.ended, ended...)
	select {
	case ts.releaseSignal <- struct{}{}:
	default:
	}
}

// releaseLoop waits for the log once for all tasks that have ended in a while.
func (ts *tails) releaseLoop() {
	pause := time.NewTicker(releasePause)
	defer pause.Stop()
	for {
		select {
		case <-ts.lifecycle.ctx.Done():
			return
		case <-ts.releaseSignal:
		}
		ts.mu.Lock()
		all := ts.ended
		ts.ended = nil
		ts.mu.Unlock()
		wait := pause.C
		if err := ts.events.Barrier(ts.lifecycle.ctx); err != nil {
			ts.log.Warn("event log is behind", "tasks", len(all), "error", err)
			wait = time.After(storePause)
			ts.release(all...)
			all = nil
		}
		for _, e := range all {
			e.mu.Lock()
			e.tail = nil
			e.mu.Unlock()
		}
		select {
		case <-ts.lifecycle.ctx.Done():
			return
		case <-wait:
		}
	}
}
