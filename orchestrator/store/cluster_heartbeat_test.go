package store_test

import (
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestHeartbeatsComeByTheNewTime counts heartbeats of the leader of an idle group at a
// follower: it is not enough that the server has the variable. By its own default there is
// at most one a second.
func TestHeartbeatsComeByTheNewTime(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	const beats = 8
	var last, begin time.Time
	for seen := 0; seen <= beats; <-time.After(10 * time.Millisecond) {
		for _, st := range r.stores {
			if at := st.LeaderHeard(); at.After(last) { // the two followers hear the same ones
				if last.IsZero() || at.Sub(last) > store.HeartbeatInterval/2 {
					seen++
				}
				last = at
			}
		}
		switch {
		case seen == 1 && begin.IsZero():
			begin = last
		case !begin.IsZero() && time.Since(begin) > time.Minute:
			t.Fatalf("%d heartbeats in a minute", seen)
		}
	}
	if took := last.Sub(begin); took > beats*store.NATSHeartbeat {
		t.Errorf("%d heartbeats took %s, want less than one each %s", beats, took, store.NATSHeartbeat)
	}
}
