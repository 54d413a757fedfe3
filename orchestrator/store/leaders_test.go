package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestTheHolderLeadsItsStreams has each of three replicas take the lease in turn:
// whoever led the streams before, the holder does when it begins.
func TestTheHolderLeadsItsStreams(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	for _, st := range r.stores {
		ctx, cancel := contextFor(t, time.Minute)
		began := false
		err := st.Lease("turn-"+st.Replica(), nil).Run(ctx, func(context.Context, []byte) {
			defer cancel()
			began = true
			for _, stream := range []string{"KV_leases", "KV_tasks", "events"} {
				if leader, err := store.LeaderOf(ctx, st, stream); err != nil || leader != st.Replica() {
					t.Errorf("%s begins, and %s is led by %q, %v", st.Replica(), stream, leader, err)
				}
			}
		})
		cancel()
		if err == nil || !began {
			t.Errorf("%s: began: %t, %v", st.Replica(), began, err)
		}
	}
}
