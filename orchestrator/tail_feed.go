package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// tailIdle is how long a tail that nobody reads is kept for the next call of
	// a reader: longer than two of its heartbeats.
	tailIdle = 30 * time.Second
	// newsPause is how long a tail that is fed from elsewhere may be without
	// news before the log is asked: the feed may lose a record when a connection
	// breaks. maxNewsPause is for one that has long had none.
	newsPause    = time.Second
	maxNewsPause = 15 * time.Second
)

// join gives the tail to read from and counts the reader; nil when the task has
// ended and the log and the record have everything. A tail whose end is known
// stays good for whoever is on it.
func (ts *tails) join(ctx context.Context, e *taskEntry, held *tail) *tail {
	e.mu.Lock()
	t := e.tail
	if held != nil && held.over() {
		t = held
	}
	if t == nil && e.task.State.Ended() {
		e.mu.Unlock()
		return nil
	}
	fresh := t == nil
	if fresh {
		t = newTail(e.task.shown(), nil)
		e.tail = t
	}
	t.enter()
	e.mu.Unlock()
	if fresh {
		ts.feed(ctx, e, t)
	}
	return t
}

// feed has a tail repeat what another replica appends to the log.
func (ts *tails) feed(ctx context.Context, e *taskEntry, t *tail) {
	if !ts.shared {
		return
	}
	stop, err := ts.events.Subscribe(e.id, func(record []byte) {
		batch, err := decodeBatch(record)
		if err != nil {
			ts.log.Error("decoding live events", "task_id", e.id, "error", err)
			return
		}
		t.feed(batch, ts.now())
	})
	if err != nil { // and from time to time the log is asked all the same
		ts.log.Warn("live events may be missed", "task_id", e.id, "error", err)
	}
	e.mu.Lock()
	before := e.unfeed
	if e.tail == t && e.run == nil && !e.task.State.Ended() {
		e.unfeed, stop = stop, nil
	} else {
		e.unfeed = nil
	}
	e.mu.Unlock()
	for _, f := range []func(){before, stop} {
		if f != nil {
			f()
		}
	}
	ts.fed.Store(e.id, e)
	ts.catchUp(ctx, e, t)
}

// own makes this replica the writer of the task's log, for a dispatch, and
// says that the task has started, once: a replica that has lost the task may have
// said so here, and not in the record. Before the first token there is no other
// event, so the next id is known. e.mu is held; afterwards, without it, the caller
// stops what has fed the tail so far.
func (ts *tails) own(e *taskEntry, again bool) (t *tail, unfeed func()) {
	if e.tail == nil {
		e.tail = newTail(0, nil)
	}
	t, unfeed = e.tail, e.unfeed
	e.unfeed = nil
	ctx, abandon := context.WithCancel(context.WithoutCancel(ts.lifecycle.ctx))
	write := func(record []byte) {
		if err := ts.events.Store(ctx, e.id, record); err != nil {
			ts.log.Warn("event log is not written", "task_id", e.id, "error", err)
		}
	}
	if !again && t.own(0, ts.coalesce(), write, abandon) == 0 {
		t.add(EventStarted, encodeData(startedData{}))
		return t, unfeed
	}
	// The runner before may have shown this event and not brought it to the log.
	t.own(1, ts.coalesce(), write, abandon)
	t.repeat(newEvent(1, EventStarted, startedData{}))
	return t, unfeed
}

// coalesce is how long tokens wait for company: the longer, the more tasks run.
func (ts *tails) coalesce() time.Duration {
	busy, longest := min(ts.active(), coalesceTasks), maxCoalesce
	if !ts.shared {
		longest = loneCoalesce
	}
	return coalesce + time.Duration(busy)*(longest-coalesce)/coalesceTasks
}

// letGo ends the writing of a task that does not run here any more, and forgets a
// large request. lost: another replica may be writing already.
func (ts *tails) letGo(e *taskEntry, lost bool) {
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

// catchUp asks the log how far the task is.
func (ts *tails) catchUp(ctx context.Context, e *taskEntry, t *tail) {
	last, err := ts.lastEvent(ctx, e.id)
	if err != nil {
		ts.log.Debug("asking for the newest event", "task_id", e.id, "error", err)
		return
	}
	t.reach(last)
}

// lastEvent gives the id of the newest event in the log.
func (ts *tails) lastEvent(ctx context.Context, id string) (uint64, error) {
	rec, err := ts.events.Last(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	batch, err := decodeBatch(rec)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	return batch[len(batch)-1].ID, nil
}

// tend looks after the tails that are fed: one that nobody reads goes, one that
// has heard nothing asks the log.
func (ts *tails) tend(ctx context.Context) {
	now := ts.now()
	ts.fed.Range(func(id, value any) bool {
		e := value.(*taskEntry)
		e.mu.Lock()
		t, stop := e.tail, e.unfeed
		gone := t == nil || e.run != nil || e.task.State.Ended()
		if !gone && t.idle(now, tailIdle) {
			e.tail, gone = nil, true
		}
		if gone {
			e.unfeed = nil
			ts.fed.Delete(id)
		}
		e.mu.Unlock()
		switch {
		case gone && stop != nil:
			stop()
		case !gone && t.asks(now):
			ts.catchUp(ctx, e, t)
		}
		return ctx.Err() == nil
	})
}

// asks reports whether the tail should ask the log for news, each time after
// twice the pause.
func (t *tail) asks(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	silent := now.Sub(t.news)
	if t.readers == 0 || silent < t.patience {
		return false
	}
	t.patience = min(max(newsPause, 2*t.patience), maxNewsPause)
	t.news = now
	return true
}
