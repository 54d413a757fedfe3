package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/llorch/gateway/orchestrator/store"
)

// ErrStopping ends readers when the orchestrator stops; they may resume later.
var ErrStopping = errors.New("the orchestrator is stopping")

// ErrNothingLeft is returned by Follow when the caller has already seen the
// terminal event.
var ErrNothingLeft = errors.New("the stream has ended and was read to its end")

// Reader follows one task's events. It is for one goroutine and needs no Close.
type Reader struct {
	o      *Orchestrator
	e      *entry
	tail   *tail // nil: the task ended a while ago, its events are in the log
	next   uint64
	cursor uint64 // in the log
	done   bool
}

// Follow gives the events of a task after the given id; 0 gives all.
func (o *Orchestrator) Follow(who Who, taskID string, after uint64) (*Reader, error) {
	e := o.find(who, taskID)
	if e == nil {
		return nil, noSuchTask()
	}
	task, tail := e.view()
	if task.State.Ended() && after != 0 && after == task.LastEventID {
		return nil, ErrNothingLeft
	}
	return &Reader{o: o, e: e, tail: tail, next: after + 1}, nil
}

// Cut notes that the reader was cut because it did not read.
func (r *Reader) Cut() { r.o.metrics.readersCut.Inc() }

// Next gives the next events, at least one. It waits for them as long as ctx
// allows; io.EOF comes after the terminal event.
func (r *Reader) Next(ctx context.Context) ([]Event, error) {
	if r.done {
		return nil, io.EOF
	}
	for {
		events, changed, err := r.some(ctx)
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
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.o.stopped:
			return nil, ErrStopping
		}
	}
}

func (r *Reader) some(ctx context.Context) ([]Event, <-chan struct{}, error) {
	if r.tail == nil {
		events, err := r.history(ctx)
		return events, nil, err
	}
	if newest := r.tail.newest(); r.next > newest+1 {
		// An id from before a power cut that took the log's last moments.
		from := r.next
		r.next = newest + 1
		return []Event{{ID: newest, Type: EventGap, Data: gapEvent(newest+1, from-1).Data}}, nil, nil
	}
	events, changed, ok := r.tail.since(r.next)
	if ok {
		return events, changed, nil
	}
	cursor := r.cursor
	events, err := r.logged(ctx)
	if err == nil && len(events) == 0 { // gone, or not yet there
		if err := r.o.store.Events().Barrier(ctx); err != nil {
			return nil, nil, err
		}
		events, err = r.logged(ctx)
	}
	// What the log has lost may still be in memory: the gap ends there.
	if oldest := r.tail.oldest(); err == nil && (len(events) == 0 || events[0].Type == EventGap && events[0].ID >= oldest) {
		r.cursor = cursor
		events = []Event{gapEvent(r.next, oldest-1)}
	}
	return events, nil, err
}

// history reads an ended task: the log as far as it goes, then how it ended,
// from the record, which is the truth.
func (r *Reader) history(ctx context.Context) ([]Event, error) {
	task, _ := r.e.view()
	if r.next >= task.LastEventID {
		return []Event{task.terminal()}, nil
	}
	events, err := r.logged(ctx)
	if err != nil || len(events) > 0 {
		return events, err
	}
	return []Event{gapEvent(r.next, task.LastEventID-1)}, nil
}

// logged gives the events of the next useful log record; none at its end.
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
		for i, ev := range batch {
			if ev.ID < r.next {
				continue
			}
			if ev.ID > r.next {
				return append([]Event{gapEvent(r.next, ev.ID-1)}, batch[i:]...), nil
			}
			return batch[i:], nil
		}
	}
}
