package store_test

import (
	"fmt"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// behind writes while a replica is down, and waits until those that lead say that it is
// behind by as much, and that none that runs is.
func (r *replicas) behind(down int, up ...int) {
	r.t.Helper()
	const writes = 50
	for i := range writes {
		if _, err := r.stores[up[0]].Bucket(store.Tasks).Create(r.t.Context(), fmt.Sprint("missed", i), nil); err != nil {
			r.t.Fatal(err)
		}
	}
	name := r.options[down].Cluster.Replica
	testkit.Eventually(r.t, "only the replica that is down is behind", func() bool {
		lags := map[string]uint64{}
		for _, i := range up {
			for replica, lag := range r.stores[i].Lags() {
				lags[replica] = max(lags[replica], lag)
			}
		}
		for _, i := range up {
			if lags[r.options[i].Cluster.Replica] > 0 {
				return false
			}
		}
		return lags[name] >= writes
	})
}

// No other replica of a single server can be behind.
func TestASingleServerHasNoLag(t *testing.T) {
	if lags := open(t, t.TempDir()).Lags(); lags != nil {
		t.Errorf("got %v", lags)
	}
}
