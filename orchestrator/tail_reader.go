package orchestrator

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// logLag is how long the event log may be behind the record of a task that
	// has just ended, and lagPause how often it is read meanwhile: the events
	// come from another replica, which does not wait for the log to take them. It tries
	// for 10 s, as long as an election lasts.
	logLag   = 12 * time.Second
	lagPause = 50 * time.Millisecond
	// lagMemory is how long after its end a task counts as just ended.
	lagMemory = 15 * time.Second
	// storePause is how often a reader retries a store that is unavailable, as during
	// an election. It waits as long as its caller does.
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
	timer  *time.Timer // goes off at rings or before: it is not set anew for each event
	rings  time.Time
	look   time.Time // when the reason why the task waits is checked next
	told   string    // the reason that was sent last
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
func (r *Reader) Next(ctx context.Context) ([]Event, error) { return r.await(ctx, time.Time{}) }

// Wait is Next that waits for as long as limit, and gives none when none came.
func (r *Reader) Wait(ctx context.Context, limit time.Duration) ([]Event, error) {
	return r.await(ctx, time.Now().Add(limit))
}

// await waits until the given time; zero sets none.
func (r *Reader) await(ctx context.Context, until time.Time) ([]Event, error) {
	if r.done {
		return nil, io.EOF
	}
	r.tail = r.o.tails.join(ctx, r.e, r.tail)
	if r.tail != nil {
		defer func(t *tail) { t.leave(r.o.now()) }(r.tail)
	}
	for {
		events, changed, err := r.some(ctx)
		if errors.Is(err, store.ErrUnavailable) { // an error here would look like the end of the stream
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
		case now := <-r.alarm(until):
			r.rings = time.Time{}
			if !now.Before(r.look) {
				r.look = now.Add(lookAgain)
				if ev, ok := r.reason(); ok {
					return []Event{ev}, nil
				}
			}
			if !until.IsZero() && !now.Before(until) {
				return nil, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.o.lifecycle.stopped:
			return nil, ErrStopping
		}
	}
}

// alarm gives the channel of a timer that goes off by the time that is given, and by look.
func (r *Reader) alarm(until time.Time) <-chan time.Time {
	if until.IsZero() || until.After(r.look) {
		until = r.look
	}
	switch {
	case r.timer == nil:
		r.timer = time.NewTimer(time.Until(until))
	case r.rings.IsZero() || until.Before(r.rings):
		r.timer.Reset(time.Until(until))
	default:
		return r.timer.C
	}
	r.rings = until
	return r.timer.C
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
	// What the log has lost may still be in memory: the gap ends there. What leaves memory
	// while the log is read is in the log, and no gap.
	cursor, first := r.cursor, r.tail.from(r.next)
	events, err := r.patient(ctx)
	if err == nil && (len(events) == 0 || events[0].Type == EventGap && events[0].ID >= first) {
		r.cursor = cursor
		events = []Event{gapEvent(r.next, first-1)}
	}
	return events, nil, err
}

// runsHere reads the store: a replica that was paused may still believe that it runs
// the task.
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
