package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// retention is how long an ended task can still be asked for, and maxEnded
	// how many of them are kept in any case.
	retention = time.Hour
	maxEnded  = 10_000
	// maxTaskBytes bounds the records of all tasks. The bucket holds half as
	// much again, so that a task that was taken can always be written to.
	maxTaskBytes = 1 << 30
)

// recover reads every task and makes the queue again, oldest first. A task that
// ran without a token yet goes back to the queue; one that had tokens ends: its
// worker's stream went down with us.
func (o *Orchestrator) recover(ctx context.Context) error {
	var live []*entry
	waits := make(map[string]waiting)
	err := o.store.Bucket(store.Tasks).Each(ctx, func(s store.Entry) error {
		r, err := decodeRecord(s.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Key, err)
		}
		e := &entry{id: r.TaskID, owner: r.Owner, task: r.Task, revision: s.Revision, size: int64(len(s.Value))}
		o.tasks[e.id] = e
		o.stored.Add(e.size)
		if !r.State.Ended() && r.Request != nil {
			live = append(live, e)
			waits[e.id] = o.waits(e, *r.Request)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading tasks: %w", err)
	}
	slices.SortFunc(live, func(a, b *entry) int { return a.task.CreatedAt.Compare(b.task.CreatedAt) })
	for _, e := range live {
		if err := o.resume(ctx, e, waits[e.id]); err != nil {
			return err
		}
	}
	return nil
}

func (o *Orchestrator) resume(ctx context.Context, e *entry, w waiting) error {
	last, err := o.lastEvent(ctx, e.id)
	if err != nil {
		return err
	}
	e.tail = o.newTailFor(e.id, last)
	if e.task.FirstTokenAt != nil {
		return o.end(e, failed("WORKER_RESET", "the orchestrator was restarted after the first token", e.task.Engine))
	}
	o.queue.restore(w, false)
	return nil
}

func (o *Orchestrator) lastEvent(ctx context.Context, id string) (uint64, error) {
	rec, err := o.store.Events().Last(ctx, id)
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

// sweep forgets ended tasks that are old or too many, the oldest first.
func (o *Orchestrator) sweep() {
	var ended []Task
	for _, t := range o.visible(Who{Admin: true}, "") {
		if t.State.Ended() {
			ended = append(ended, t)
		}
	}
	slices.SortFunc(ended, func(a, b Task) int { return a.EndedAt.Compare(*b.EndedAt) })
	now := o.now()
	for i, t := range ended {
		if len(ended)-i <= maxEnded && now.Sub(*t.EndedAt) < retention {
			return
		}
		if err := o.forget(t.TaskID); err != nil {
			o.log.Warn("forgetting ended task", "task_id", t.TaskID, "error", err)
			return
		}
	}
}

func (o *Orchestrator) forget(id string) error {
	if err := o.store.Bucket(store.Tasks).Delete(o.ctx, id); err != nil {
		return err
	}
	o.mu.Lock()
	e := o.tasks[id]
	delete(o.tasks, id)
	o.mu.Unlock()
	if e != nil {
		o.stored.Add(-e.size)
	}
	return o.store.Events().Forget(o.ctx, id)
}
