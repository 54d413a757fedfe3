package orchestrator

import (
	"errors"
	"fmt"

	"github.com/llorch/gateway/orchestrator/store"
)

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
	message := "the deadline passed before a pool was free"
	if w.failures > 0 {
		message = fmt.Sprintf("the deadline passed; until then %d dispatches failed%s", w.failures, w.broke)
	}
	if why := s.o.whyWaiting(w.needs); why != "" {
		message += "; " + why
	}
	change := failed("DEADLINE_EXCEEDED", message, "")
	if w.said == "" && w.failures == 0 { // a pool may be paused because of another task
		w.said, w.saidBy = s.o.restWords(w.needs)
	}
	if w.said != "" {
		change = failed(engineBusyCode, "the deadline passed while every pool for it was busy; the latest said: "+w.said, w.saidBy)
	}
	err := s.o.end(e, change)
	if err == nil || errors.Is(err, errEnded) {
		return
	}
	if !errors.Is(err, store.ErrConflict) {
		s.o.log.Error("ending expired task", "task_id", id, "error", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.task.State == Queued && e.run == nil {
		s.o.queue.restore(w, true) // tried again at the next tick
	}
}
