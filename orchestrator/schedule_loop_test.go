package orchestrator

import "testing"

// TestTheSchedulerTicksOftenOnlyForTasks: a server without work wakes once a second, and
// one with a task that waits looks for its deadline five times.
func TestTheSchedulerTicksOftenOnlyForTasks(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)}) // its node is not there
	if got := o.scheduler.pause(); got != idleTick {
		t.Errorf("without a task: %v, want %v", got, idleTick)
	}
	id := waitingTask(t, o)
	if got := o.scheduler.pause(); got != tick {
		t.Errorf("with a task that waits: %v, want %v", got, tick)
	}
	if err := o.Cancel(t.Context(), ci, id); err != nil {
		t.Fatal(err)
	}
	if got := o.scheduler.pause(); got != idleTick {
		t.Errorf("after its end: %v, want %v", got, idleTick)
	}
}
