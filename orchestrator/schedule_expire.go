package orchestrator

import (
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// otherPoolWithin is how long a native call whose worker was lost before the first byte
// waits until there is a pool for it: a supervisor's restart, and a registration. Its
// client waits for an answer, and has a time-out of its own. A call whose answer is kept
// waits until its deadline.
const otherPoolWithin = 10 * time.Second

// expire ends waiting tasks whose deadline has passed: they never reach an
// engine. Running ones have the deadline in their context.
func (s *scheduler) expire() {
	for _, id := range s.o.queue.expired(s.o.now()) {
		s.o.lifecycle.work.Go(func() { s.expireOne(id) })
	}
}

func (s *scheduler) expireOne(id string) {
	e := s.o.tasks.get(id)
	w, ok := s.o.queue.remove(id)
	if e == nil || !ok {
		return
	}
	if s.stillWaits(w) {
		w.patience = time.Time{}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.task.State == Queued && e.run == nil {
			s.o.queue.restore(w, true)
		}
		return
	}
	if err := s.o.end(e, s.expired(w)); err != nil && !errors.Is(err, errEnded) {
		if !errors.Is(err, store.ErrConflict) {
			s.o.log.Error("ending expired task", "task_id", id, "error", err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.task.State == Queued && e.run == nil {
			s.o.queue.restore(w, true) // tried again at the next tick
		}
	}
}

// stillWaits reports whether it is not the task's deadline that has passed but the time
// in which a call whose worker was lost waits for another one, and there is one: busy, or
// free in a moment.
func (s *scheduler) stillWaits(w waiting) bool {
	if !w.abandoned(s.o.now()) {
		return false
	}
	needs, _ := s.o.runnable(w.needs)
	return s.o.nodes.each(func(c Candidate) bool {
		reason := infeasible(needs, c)
		return reason == "" || reason == "no_slot"
	})
}

// expired gives the change that ends a task which has waited too long.
func (s *scheduler) expired(w waiting) func(*Task) {
	ours := "the deadline passed before a pool was free"
	if w.failures > 0 {
		ours = fmt.Sprintf("the deadline passed; until then %d dispatches failed", w.failures)
	}
	message, why := ours+w.broke, s.o.whyWaiting(w.needs)
	if why != "" {
		message += "; " + why
	}
	if w.abandoned(s.o.now()) {
		ours = fmt.Sprintf("%d dispatches failed before the first token", w.failures)
		return failedBy(workerUnavailable, ours, fmt.Sprintf("%s%s; no other pool could take the call within %s; %s", ours, w.broke, otherPoolWithin, why), "")
	}
	if w.said == "" && w.failures == 0 { // a pool may be paused because of another task
		w.said, w.saidBy = s.o.restWords(w.needs)
	}
	if w.said != "" {
		ours = "the deadline passed while every pool for it was busy"
		return failedBy(engineBusyCode, ours, ours+"; send it again later, or with a shorter X-Deadline-Ms to be told sooner; the latest said: "+w.said, w.saidBy)
	}
	return failedBy("DEADLINE_EXCEEDED", ours, message, "")
}
