package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// leaseName is the lease of which one replica at a time is the scheduler.
	leaseName = "scheduler"
	// drainMargin is how much longer than its own deadline the tasks of a replica
	// that drains are left alone: it settles what is left, see settleTimeout.
	drainMargin = settleTimeout
)

// errDeposed ends the dispatches of a replica that is no longer the scheduler.
// What becomes of their tasks is for the next one to say.
var errDeposed = errors.New("another replica schedules now")

// handover is what a replica that stops tells the next scheduler.
type handover struct {
	Runner  string `json:"runner"`
	DrainMS int64  `json:"drain_ms"` // how long its tasks are its own
}

// spared are the replicas whose tasks are left alone, and until when.
type spared map[string]time.Time

// handOver is the lease's note.
func (o *Orchestrator) handOver() []byte {
	left := time.Until(time.Unix(0, o.drainEnd.Load()))
	if !o.closing.Load() || left <= 0 {
		return nil
	}
	note, err := json.Marshal(handover{o.me, (left + drainMargin).Milliseconds()})
	if err != nil {
		return nil
	}
	return note
}

// lead is the reign of this replica as the scheduler, until ctx ends: it places,
// dispatches, expires, forgets, and verifies models. A single server reigns from
// its start to its stop.
func (o *Orchestrator) lead(ctx context.Context, before []byte) {
	reign, depose := context.WithCancelCause(o.ctx)
	o.leading.Store(true)
	defer o.leading.Store(false)
	spare := spared{}
	var note handover
	if json.Unmarshal(before, &note) == nil && note.Runner != o.me && note.DrainMS > 0 {
		spare[note.Runner] = o.now().Add(time.Duration(note.DrainMS) * time.Millisecond)
	}
	o.log.Info("scheduling begins", "replica", o.me, "spared", note.Runner)
	o.nodes.forgive()
	o.catalog.lead(reign)
	o.schedule(ctx, reign, spare)
	if o.closing.Load() { // its tasks may run to their end, see Stop
		context.AfterFunc(o.ctx, func() { depose(nil) })
		return
	}
	depose(errDeposed)
	o.dispatches.Wait()
	o.log.Warn("scheduling ends: the lease was lost", "replica", o.me)
}

// mayShow reports whether this replica may still show tokens: another one does
// not touch its tasks yet.
func (o *Orchestrator) mayShow() bool { return o.closing.Load() || o.lease.Held() }

// showPause is how soon a dispatch asks again whether it may show tokens.
const showPause = 20 * time.Millisecond

// awaitShow waits until this replica may show tokens: while the lease cannot be
// renewed it may still be ours. If it is lost, the reign and so ctx ends.
func (o *Orchestrator) awaitShow(ctx context.Context) error {
	if o.mayShow() {
		return nil
	}
	again := time.NewTicker(showPause)
	defer again.Stop()
	for !o.mayShow() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// losses are the running tasks without a runner that a look has found, with their
// revisions.
type losses struct {
	spare spared
	found map[*entry]uint64
	at    time.Time // when the look was over
}

// reclaim takes care of running tasks that nobody runs: their replica has stopped
// or has lost the lease. One without a token goes back to the queue; one that may
// have shown tokens ends: nobody may see them contradicted. Nor may the tasks of
// a newer holder be taken for lost, of whom a machine that was paused hears before
// it knows that it is no longer one itself: what is lost is so since before this
// replica has last renewed the lease.
func (o *Orchestrator) reclaim(l *losses) {
	if !o.lease.Held() {
		return
	}
	found := o.lost(l.spare)
	if !o.store.Shared() {
		l.found = found
	}
	var lost []*entry
	if !o.lease.HeldSince(l.at) {
		return
	}
	for e, revision := range l.found {
		if found[e] == revision {
			lost = append(lost, e)
		}
	}
	l.found, l.at = found, time.Now()                                                                      // the lease goes by the same clock
	slices.SortFunc(lost, func(a, b *entry) int { return b.view().CreatedAt.Compare(a.view().CreatedAt) }) // each goes to the front
	for _, e := range lost {
		if err := o.reclaimOne(e); err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errTaken) && !errors.Is(err, store.ErrConflict) {
			o.log.Warn("taking over task", "task_id", e.id, "error", err)
			return // the store is away; the next tick tries again
		}
	}
}

// lost gives the tasks that run, and nobody runs them.
func (o *Orchestrator) lost(spare spared) map[*entry]uint64 {
	found := make(map[*entry]uint64)
	o.running.Range(func(_, value any) bool {
		e := value.(*entry)
		e.mu.Lock()
		until, drains := spare[e.task.runner]
		if e.run == nil && e.task.State == Running && !(drains && o.now().Before(until)) {
			found[e] = e.revision
		}
		e.mu.Unlock()
		return true
	})
	return found
}

// reclaimOne looks again: while others were taken care of, a dispatch here may
// have put the task back itself (see attempt.again), and the next one have begun.
func (o *Orchestrator) reclaimOne(e *entry) error {
	e.changing.Lock()
	e.mu.Lock()
	task, runs := e.task, e.run != nil
	e.mu.Unlock()
	if runs || task.State != Running {
		e.changing.Unlock()
		return nil
	}
	still := func(t Task) bool { return t.State == Running && t.runner == task.runner && t.Attempt == task.Attempt }
	o.log.Info("task of a lost runner", "task_id", e.id, "runner", task.runner, "had_tokens", task.begun())
	if !task.cancelRequested && !task.begun() {
		defer e.changing.Unlock()
		ctx, cancel := o.settling()
		defer cancel()
		_, err := o.changeIf(ctx, e, still, backToQueue)
		return err
	}
	e.changing.Unlock()
	if task.cancelRequested {
		return o.endIf(e, still, canceled)
	}
	message := "the orchestrator that ran it was lost after the first token"
	if task.FirstTokenAt == nil {
		message = "the orchestrator that ran it was lost, and may have shown the first token"
	}
	return o.endIf(e, still, failed("WORKER_RESET", message, task.Engine))
}

// settling bounds a write that has to happen even when everything stops.
func (o *Orchestrator) settling() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(o.ctx), settleTimeout)
}
