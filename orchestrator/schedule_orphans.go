package orchestrator

import (
	"errors"
	"slices"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// orphans are the running tasks without a runner that the last check has found, with
// their revisions.
type orphans struct {
	spare sparedReplicas
	found map[*taskEntry]uint64
	at    time.Time // the end of that check
}

// recoverOrphans handles running tasks without a runner: their replica has stopped or
// has lost the leadership. A task without a token is queued again; one that may have
// shown tokens ends, so that no reader sees them contradicted. A replica that was paused
// may see the tasks of a newer leader before it learns that it has lost the leadership,
// so a task is recovered only if it was an orphan before this replica last renewed its
// lease.
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
	l.found, l.at = found, time.Now()                                                                          // the lease uses the same clock
	slices.SortFunc(lost, func(a, b *taskEntry) int { return b.view().CreatedAt.Compare(a.view().CreatedAt) }) // each goes to the front
	for _, e := range lost {
		if err := s.recoverOrphan(e); err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errTaken) && !errors.Is(err, store.ErrConflict) {
			s.o.log.Warn("could not recover orphaned task", "task_id", e.id, "error", err)
			return // the store is unavailable; the next tick tries again
		}
	}
}

// orphaned gives the running tasks without a runner.
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

// recoverOrphan checks the task again: while others were recovered, a dispatch here may
// have queued it again itself (see attempt.retry), and the next one may have begun.
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
	s.o.log.Info("recovering orphaned task", "task_id", e.id, "runner", task.runner, "had_tokens", task.mayHaveShown())
	if !task.cancelRequested && !task.mayHaveShown() {
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
