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

// sparedReplicas are the replicas whose tasks are left alone, and until when.
type sparedReplicas map[string]time.Time

// handover is the lease's note.
func (s *scheduler) handover() []byte {
	left := s.o.lifecycle.drainLeft()
	if left <= 0 {
		return nil
	}
	note, err := json.Marshal(handover{s.o.replica, (left + drainMargin).Milliseconds()})
	if err != nil {
		return nil
	}
	return note
}

// lead is the reign of this replica as the scheduler, until ctx ends: it places,
// dispatches, expires, forgets, and verifies models. A single server reigns from
// its start to its stop.
func (s *scheduler) lead(ctx context.Context, before []byte) {
	reign, depose := context.WithCancelCause(s.o.lifecycle.ctx)
	s.leading.Store(true)
	defer s.leading.Store(false)
	spare := sparedReplicas{}
	var note handover
	if json.Unmarshal(before, &note) == nil && note.Runner != s.o.replica && note.DrainMS > 0 {
		spare[note.Runner] = s.o.now().Add(time.Duration(note.DrainMS) * time.Millisecond)
	}
	s.o.log.Info("scheduling begins", "replica", s.o.replica, "spared", note.Runner)
	s.o.nodes.forgive()
	s.o.catalog.lead(reign)
	s.loop(ctx, reign, spare)
	if s.o.lifecycle.stopping.Load() { // its tasks may run to their end, see Stop
		context.AfterFunc(s.o.lifecycle.ctx, func() { depose(nil) })
		return
	}
	depose(errDeposed)
	s.dispatches.Wait()
	s.o.log.Warn("scheduling ends: the lease was lost", "replica", s.o.replica)
}

// mayShow reports whether this replica may still show tokens: another one does
// not touch its tasks yet.
func (s *scheduler) mayShow() bool { return s.o.lifecycle.stopping.Load() || s.lease.Held() }

// showPause is how soon a dispatch asks again whether it may show tokens.
const showPause = 20 * time.Millisecond

// awaitShow waits until this replica may show tokens: while the lease cannot be
// renewed it may still be ours. If it is lost, the reign and so ctx ends.
func (s *scheduler) awaitShow(ctx context.Context) error {
	if s.mayShow() {
		return nil
	}
	again := time.NewTicker(showPause)
	defer again.Stop()
	for !s.mayShow() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// orphans are the running tasks without a runner that a look has found, with their
// revisions.
type orphans struct {
	spare sparedReplicas
	found map[*taskEntry]uint64
	at    time.Time // when the look was over
}

// recoverOrphans takes care of running tasks that nobody runs: their replica has stopped
// or has lost the lease. One without a token goes back to the queue; one that may
// have shown tokens ends: nobody may see them contradicted. Nor may the tasks of
// a newer holder be taken for lost, of whom a machine that was paused hears before
// it knows that it is no longer one itself: what is lost is so since before this
// replica has last renewed the lease.
func (s *scheduler) recoverOrphans(l *orphans) {
	if !s.lease.Held() {
		return
	}
	found := s.orphaned(l.spare)
	if !s.o.store.Shared() {
		l.found = found
	}
	var lost []*taskEntry
	if !s.lease.HeldSince(l.at) {
		return
	}
	for e, revision := range l.found {
		if found[e] == revision {
			lost = append(lost, e)
		}
	}
	l.found, l.at = found, time.Now()                                                                          // the lease goes by the same clock
	slices.SortFunc(lost, func(a, b *taskEntry) int { return b.view().CreatedAt.Compare(a.view().CreatedAt) }) // each goes to the front
	for _, e := range lost {
		if err := s.recoverOrphan(e); err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errTaken) && !errors.Is(err, store.ErrConflict) {
			s.o.log.Warn("taking over task", "task_id", e.id, "error", err)
			return // the store is away; the next tick tries again
		}
	}
}

// orphaned gives the tasks that run, and nobody runs them.
func (s *scheduler) orphaned(spare sparedReplicas) map[*taskEntry]uint64 {
	found := make(map[*taskEntry]uint64)
	s.o.tasks.running.Range(func(_, value any) bool {
		e := value.(*taskEntry)
		e.mu.Lock()
		until, drains := spare[e.task.runner]
		if e.run == nil && e.task.State == Running && !(drains && s.o.now().Before(until)) {
			found[e] = e.revision
		}
		e.mu.Unlock()
		return true
	})
	return found
}

// recoverOrphan looks again: while others were taken care of, a dispatch here may
// have put the task back itself (see attempt.again), and the next one have begun.
func (s *scheduler) recoverOrphan(e *taskEntry) error {
	e.changing.Lock()
	e.mu.Lock()
	task, runs := e.task, e.run != nil
	e.mu.Unlock()
	if runs || task.State != Running {
		e.changing.Unlock()
		return nil
	}
	still := func(t Task) bool { return t.State == Running && t.runner == task.runner && t.Attempt == task.Attempt }
	s.o.log.Info("task of a lost runner", "task_id", e.id, "runner", task.runner, "had_tokens", task.begun())
	if !task.cancelRequested && !task.begun() {
		defer e.changing.Unlock()
		ctx, cancel := s.o.lifecycle.persistContext()
		defer cancel()
		_, err := s.o.changeIf(ctx, e, still, backToQueue)
		return err
	}
	e.changing.Unlock()
	if task.cancelRequested {
		return s.o.endIf(e, still, canceled)
	}
	message := "the orchestrator that ran it was lost after the first token"
	if task.FirstTokenAt == nil {
		message = "the orchestrator that ran it was lost, and may have shown the first token"
	}
	return s.o.endIf(e, still, failed("WORKER_RESET", message, task.Engine))
}
