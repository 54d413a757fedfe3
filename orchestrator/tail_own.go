package orchestrator

import (
	"context"
	"crypto/cipher"
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// own makes this replica the writer of the task's log, for a dispatch, and adds the
// event started, once: a replica that has lost the task may have shown it here, and not
// written it. Before the first token there is no other
// event, so the next id is known. e.mu is held; afterwards, without it, the caller
// stops what has fed the tail so far.
func (ts *tails) own(e *taskEntry, again bool) (t *tail, unfeed func()) {
	if e.tail == nil {
		e.tail = newTail(0, nil)
	}
	t, unfeed = e.tail, e.stopFeed
	e.stopFeed = nil
	ctx, abandon := context.WithCancel(context.WithoutCancel(ts.lifecycle.ctx))
	write := ts.writer(ctx, e.id, e.task.content.Key)
	if !again && t.own(0, ts.coalesce(), write, abandon) == 0 {
		t.add(EventStarted, encodeData(startedData{}))
		return t, unfeed
	}
	// The runner before may have shown this event and not brought it to the log.
	t.own(1, ts.coalesce(), write, abandon)
	t.rewrite(newEvent(1, EventStarted, startedData{}))
	return t, unfeed
}

// writer gives what writes the task's log, one record at a time.
func (ts *tails) writer(ctx context.Context, id, key string) func(record []byte) {
	var a cipher.AEAD
	return func(record []byte) {
		err := error(nil)
		if key != "" && a == nil {
			a, err = ts.seals.patientAEAD(ctx, key)
		}
		if a != nil {
			record = sealed(a, id, record)
		}
		if err == nil {
			err = ts.events.Store(ctx, id, record)
		}
		if err != nil {
			ts.log.Warn("could not write event log", "task_id", id, "error", err)
		}
	}
}

// decode gives the events of a task's log record. Of content that is erased there are
// none.
func (ts *tails) decode(ctx context.Context, e *taskEntry, record []byte) ([]Event, error) {
	record, err := ts.seals.open(ctx, e.view().content.Key, e.id, record)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeBatch(record)
}

// coalesce is how long tokens are collected before a write: the longer, the more tasks run.
func (ts *tails) coalesce() time.Duration {
	busy, longest := min(ts.active(), coalesceTasks), maxCoalesce
	if !ts.shared {
		longest = loneCoalesce
	}
	return coalesce + time.Duration(busy)*(longest-coalesce)/coalesceTasks
}

// stopWriting ends the writing of a task that does not run here any more, and forgets a
// large request. lost: another replica may be writing already.
func (ts *tails) stopWriting(e *taskEntry, lost bool) {
	e.mu.Lock()
	t := e.tail
	ended := e.task.State.Ended()
	if e.run == nil && (ended || e.size > keepRequest) {
		e.request = nil
	}
	if e.run != nil || t == nil {
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	if !ended || lost {
		t.disown(lost)
	}
	if ended {
		return
	}
	e.mu.Lock()
	fed := e.tail == t && e.run == nil
	if fed && t.idle(ts.now(), tailIdle) {
		e.tail, fed = nil, false
	}
	e.mu.Unlock()
	if fed {
		ctx, cancel := ts.lifecycle.persistContext()
		defer cancel()
		ts.feed(ctx, e, t)
	}
}
