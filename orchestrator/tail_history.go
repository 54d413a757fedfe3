package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// history reads an ended task: the log as far as it goes, then how it ended,
// from the record, which is the truth.
func (r *Reader) history(ctx context.Context) ([]Event, error) {
	task := r.e.view()
	if r.next > task.lastBeforeEnd() {
		return []Event{task.terminal()}, nil
	}
	events, err := r.patient(ctx)
	if err != nil || len(events) > 0 {
		return events, err
	}
	return []Event{gapEvent(r.next, task.lastBeforeEnd())}, nil
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

// mayLag reports whether events of another replica may still arrive.
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
		batch, err := r.o.tails.decode(ctx, r.e, rec)
		if err != nil { // the record is read again, when its key can be read
			return nil, fmt.Errorf("decoding events of task %s: %w", r.e.id, err)
		}
		r.cursor = cursor
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
		if ev.Type.Terminal() || task.State.Ended() && ev.ID > task.lastBeforeEnd() {
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

// stored gives what the log has of a task whose runner is lost: the id of the newest
// event, and how many of them have output. It reads a record at a time.
func (ts *tails) stored(ctx context.Context, e *taskEntry) (last uint64, outputs int, err error) {
	for cursor := uint64(0); ; {
		rec, next, err := ts.events.Read(ctx, e.id, cursor)
		if errors.Is(err, store.ErrNotFound) {
			return last, outputs, nil
		}
		if err != nil {
			return 0, 0, err
		}
		batch, err := ts.decode(ctx, e, rec)
		if err != nil {
			return 0, 0, fmt.Errorf("decoding events of task %s: %w", e.id, err)
		}
		for _, ev := range batch {
			if ev.ID <= last { // the same record, stored twice
				continue
			}
			if last = ev.ID; ev.Type == EventToken || ev.Type == EventChunk {
				outputs++
			}
		}
		cursor = next
	}
}
