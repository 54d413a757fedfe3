package orchestrator

import (
	"testing"
	"time"
)

// TestACallWhoseWorkerIsLostWaitsAMoment: what waits for another pool stops before its
// deadline, and for that reason; what has lost no worker has its deadline alone.
func TestACallWhoseWorkerIsLostWaitsAMoment(t *testing.T) {
	now := time.Now()
	q := newQueue(10)
	lost := waiting{id: "lost", class: Interactive, deadline: now.Add(time.Hour), patience: now.Add(otherPoolWithin)}
	q.restore(lost, true)
	q.restore(waiting{id: "other", class: Interactive, deadline: now.Add(time.Hour)}, true)
	after := now.Add(otherPoolWithin + time.Second)
	if got := q.expired(after); len(got) != 1 || got[0] != "lost" {
		t.Errorf("after %s: got %v, want lost", otherPoolWithin, got)
	}
	if !lost.abandoned(after) || lost.abandoned(now.Add(2*time.Hour)) || (waiting{deadline: now}).abandoned(now) {
		t.Error("the reason is the lost worker before the deadline, and the deadline after it")
	}
}
