package orchestrator

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAHoldIsBounded: a node may ask for any time, and its answer comes before its next
// heartbeat is due.
func TestAHoldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &Orchestrator{nodes: &nodes{held: map[string]chan struct{}{}}, lifecycle: newLifecycle(t.Context(), 0)}
		for asked, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: maxHeartbeatHold, 65535 * time.Second: maxHeartbeatHold} {
			begin := time.Now()
			answer := o.HoldHeartbeat(t.Context(), "n", asked)
			if took := time.Since(begin); took != want || answer.NextHeartbeatMS != 1 {
				t.Errorf("asked for %v: held back for %v, and the next one after %d ms, want %v and at once", asked, took, answer.NextHeartbeatMS, want)
			}
		}
		if len(o.nodes.held) != 0 {
			t.Errorf("after all answers %d are held back", len(o.nodes.held))
		}
	})
}
