package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// tailIdle is how long a tail without readers is kept for the next call of one:
	// longer than two of its heartbeats.
	tailIdle = 30 * time.Second
	// newsPause is how long a tail that is fed by another replica may receive nothing
	// before the log is read: the feed may lose a record when a connection breaks.
	// maxNewsPause is the longest such pause.
	newsPause    = time.Second
	maxNewsPause = 15 * time.Second
)

// join gives the tail to read from and counts the reader; nil when the task has
// ended and the log and the record have everything. A tail whose end is known
// stays valid for its readers.
func (ts *tails) join(ctx context.Context, e *taskEntry, held *tail) *tail {
	e.mu.Lock()
	t := e.tail
	if held != nil && held.hasEnded() {
		t = held
	}
	if t == nil && e.task.State.Ended() {
		e.mu.Unlock()
		return nil
	}
	fresh := t == nil
	if fresh {
		t = newTail(e.task.firstEventID(), nil)
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
		batch, err := ts.decode(ts.lifecycle.ctx, e, record)
		if err != nil {
			ts.log.Error("decoding live events", "task_id", e.id, "error", err)
			return
		}
		t.feed(batch, ts.now())
	})
	if err != nil { // the log is read from time to time all the same
		ts.log.Warn("subscribing to live events failed", "task_id", e.id, "error", err)
	}
	e.mu.Lock()
	before := e.stopFeed
	if e.tail == t && e.run == nil && !e.task.State.Ended() {
		e.stopFeed, stop = stop, nil
	} else {
		e.stopFeed = nil
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

// catchUp reads from the log how far the task is.
func (ts *tails) catchUp(ctx context.Context, e *taskEntry, t *tail) {
	last, err := ts.lastEvent(ctx, e)
	if err != nil {
		ts.log.Debug("reading newest event", "task_id", e.id, "error", err)
		return
	}
	t.extendTo(last)
}

// lastEvent gives the id of the newest event in the log.
func (ts *tails) lastEvent(ctx context.Context, e *taskEntry) (uint64, error) {
	rec, err := ts.events.Last(ctx, e.id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	batch, err := ts.decode(ctx, e, rec)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	return batch[len(batch)-1].ID, nil
}

// checkFed checks the tails that are fed by other replicas: one without readers goes,
// one that has received nothing for a while reads the log.
func (ts *tails) checkFed(ctx context.Context) {
	now := ts.now()
	ts.fed.Range(func(id, value any) bool {
		e := value.(*taskEntry)
		e.mu.Lock()
		t, stop := e.tail, e.stopFeed
		gone := t == nil || e.run != nil || e.task.State.Ended()
		if !gone && t.idle(now, tailIdle) {
			e.tail, gone = nil, true
		}
		if gone {
			e.stopFeed = nil
			ts.fed.Delete(id)
		}
		e.mu.Unlock()
		switch {
		case gone && stop != nil:
			stop()
		case !gone && t.shouldAsk(now):
			ts.catchUp(ctx, e, t)
		}
		return ctx.Err() == nil
	})
}

// shouldAsk reports whether it is time to read the log, each time after twice the
// pause.
func (t *tail) shouldAsk(now time.Time) bool {
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
