package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// logLag is how long the event log may be behind the record of a task that
	// has just ended, and lagPause how often it is asked meanwhile: the events
	// come from another replica and are not waited for there.
	logLag   = 3 * time.Second
	lagPause = 50 * time.Millisecond
	// lagMemory is how long after its end a task counts as just ended.
	lagMemory = 15 * time.Second
	// storePause is how soon a reader asks a store again that is not available,
	// as during an election. It waits as long as its caller does.
	storePause = 250 * time.Millisecond
)

// ErrStopping ends readers when the orchestrator stops; they may resume later.
var ErrStopping = errors.New("the orchestrator is stopping")

// ErrNothingLeft is returned by Follow when the caller has already seen the
// terminal event.
var ErrNothingLeft = errors.New("the stream has ended and was read to its end")

// Reader follows one task's events, wherever it runs. It is for one goroutine
// and needs no Close.
type Reader struct {
	o      *Orchestrator
	e      *taskEntry
	tail   *tail // of the last call
	next   uint64
	cursor uint64 // in the log
	done   bool
	beat   *time.Timer // of Wait
	look   time.Time   // when it is asked next why the task waits
	told   string      // what was said of that
}

// Follow gives the events of a task after the given id; 0 gives all.
func (o *Orchestrator) Follow(who Who, taskID string, after uint64) (*Reader, error) {
	e, err := o.find(who, taskID)
	if err != nil {
		return nil, err
	}
	if task := e.view(); task.State.Ended() && after != 0 && after == task.LastEventID {
		return nil, ErrNothingLeft
	}
	return &Reader{o: o, e: e, next: after + 1, look: time.Now().Add(lookAgain)}, nil
}

// Cut notes that the reader was cut because it did not read.
func (r *Reader) Cut() { r.o.metrics.readersCut.Inc() }

// Next gives the next events, at least one. It waits for them as long as ctx
// allows; io.EOF comes after the terminal event.
func (r *Reader) Next(ctx context.Context) ([]Event, error) { return r.await(ctx, nil) }

// Wait is Next that waits for as long as limit, and gives none when none came.
func (r *Reader) Wait(ctx context.Context, limit time.Duration) ([]Event, error) {
	if r.beat == nil {
		r.beat = time.NewTimer(limit)
	} else {
		r.beat.Reset(limit)
	}
	defer r.beat.Stop()
	return r.await(ctx, r.beat.C)
}

func (r *Reader) await(ctx context.Context, enough <-chan time.Time) ([]Event, error) {
	if r.done {
		return nil, io.EOF
	}
	r.tail = r.o.tails.join(ctx, r.e, r.tail)
	if r.tail != nil {
		defer func(t *tail) { t.leave(r.o.now()) }(r.tail)
	}
	why := time.NewTimer(max(0, time.Until(r.look)))
	defer why.Stop()
	for {
		events, changed, err := r.some(ctx)
		if errors.Is(err, store.ErrUnavailable) { // an end here would look like the stream's
			events, changed, err = nil, later(storePause), nil
		}
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			last := events[len(events)-1]
			r.next, r.done = last.ID+1, last.Type.Terminal()
			return events, nil
		}
		select {
		case <-changed:
		case <-why.C:
			r.look = time.Now().Add(lookAgain)
			why.Reset(lookAgain)
			if ev, ok := r.reason(); ok {
				return []Event{ev}, nil
			}
		case <-enough:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.o.lifecycle.stopped:
			return nil, ErrStopping
		}
	}
}

// later gives a channel that is closed after a while.
func later(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

func (r *Reader) some(ctx context.Context) ([]Event, <-chan struct{}, error) {
	if r.tail == nil {
		events, err := r.history(ctx)
		return events, nil, err
	}
	events, changed, ok := r.tail.since(r.next)
	if ok && len(events) == 1 && events[0].ID < r.next-1 && !r.runsHere(ctx) {
		return nil, later(storePause), nil // the events that it has seen are another replica's
	}
	if ok {
		return events, changed, nil
	}
	cursor := r.cursor
	events, err := r.patient(ctx)
	// What the log has lost may still be in memory: the gap ends there.
	if first := r.tail.from(r.next); err == nil && (len(events) == 0 || events[0].Type == EventGap && events[0].ID >= first) {
		r.cursor = cursor
		events = []Event{gapEvent(r.next, first-1)}
	}
	return events, nil, err
}

// runsHere asks the store. A replica that was paused may still believe that it
// runs the task.
func (r *Reader) runsHere(ctx context.Context) bool {
	if !r.o.store.Shared() {
		return true
	}
	stored, err := r.o.store.Bucket(store.Tasks).Get(ctx, r.e.id)
	if err != nil {
		return false
	}
	r.o.observe(stored)
	task := r.e.view()
	return task.State == Running && task.runner == r.o.replica
}

// history reads an ended task: the log as far as it goes, then how it ended,
// from the record, which is the truth.
func (r *Reader) history(ctx context.Context) ([]Event, error) {
	task := r.e.view()
	if r.next > task.whole() {
		return []Event{task.terminal()}, nil
	}
	events, err := r.patient(ctx)
	if err != nil || len(events) > 0 {
		return events, err
	}
	return []Event{gapEvent(r.next, task.whole())}, nil
}

// patient reads the log, and waits for it when it may be behind.
func (r *Reader) patient(ctx context.Context) ([]Event, error) {
	events, err := r.logged(ctx)
	if err != nil || len(events) > 0 {
		return events, err
	}
	if err := r.o.store.Events().Barrier(ctx); err != nil { // ours have arrived
		return nil, err
	}
	ticker := time.NewTicker(lagPause)
	defer ticker.Stop()
	for until := r.o.now().Add(logLag); ; {
		events, err := r.logged(ctx)
		if err != nil || len(events) > 0 || !r.mayLag() || r.o.now().After(until) {
			return events, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.o.lifecycle.stopped:
			return nil, ErrStopping
		}
	}
}

// mayLag reports whether somebody else's events may still be on their way.
func (r *Reader) mayLag() bool {
	if !r.o.store.Shared() {
		return false
	}
	t := r.e.view()
	return !t.State.Ended() || t.EndedAt == nil || r.o.now().Sub(*t.EndedAt) < lagMemory
}

// logged gives the events of the next useful log record; none at its end. Of a
// task that has ended nothing counts that came after: a runner that had lost the
// task may have written it.
func (r *Reader) logged(ctx context.Context) ([]Event, error) {
	for {
		rec, cursor, err := r.o.store.Events().Read(ctx, r.e.id, r.cursor)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		r.cursor = cursor
		batch, err := decodeBatch(rec)
		if err != nil {
			return nil, fmt.Errorf("decoding events of task %s: %w", r.e.id, err)
		}
		if events := r.useful(batch); len(events) > 0 {
			return events, nil
		}
	}
}

// useful gives what the reader has not seen of a record, after a gap if there
// is one.
func (r *Reader) useful(batch []Event) []Event {
	task := r.e.view()
	for i, ev := range batch {
		if ev.Type.Terminal() || task.State.Ended() && ev.ID > task.whole() {
			batch = batch[:i]
			break
		}
	}
	for i, ev := range batch {
		if ev.ID < r.next {
			continue
		}
		if ev.ID > r.next {
			return append([]Event{gapEvent(r.next, ev.ID-1)}, batch[i:]...)
		}
		return batch[i:]
	}
	return nil
}
