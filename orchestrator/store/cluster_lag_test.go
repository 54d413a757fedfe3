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

// leaders checks that the replicas agree on who leads each group: every one sees all the
// groups, and the leader alone says how many replicas are current.
func (r *replicas) leaders(current int, mayLose bool, of ...int) {
	r.t.Helper()
	testkit.Within(r.t, testkit.Limit, "the replicas agree on the leaders", func() error {
		led := map[string]int{}
		for _, i := range of {
			groups := r.stores[i].OwnGroups()
			if len(groups) != 11 {
				return fmt.Errorf("got %d groups", len(groups))
			}
			for _, g := range groups {
				if g.Leader == "" || g.Term == 0 {
					return fmt.Errorf("%+v", g)
				}
				if g.Leader != r.options[i].Cluster.Replica {
					continue
				}
				led[g.Name]++
				if g.Current != current || g.MayLose != mayLose {
					return fmt.Errorf("%+v", g)
				}
			}
		}
		for name, leaders := range led {
			if leaders != 1 {
				return fmt.Errorf("%s has %d leaders", name, leaders)
			}
		}
		if len(led) != 11 {
			return fmt.Errorf("%d groups are led", len(led))
		}
		return nil
	})
}

// No other replica of a single server can be behind.
func TestASingleServerHasNoLag(t *testing.T) {
	st := open(t, t.TempDir())
	if lags, groups := st.Lags(), st.OwnGroups(); lags != nil || groups != nil {
		t.Errorf("got %v, %v", lags, groups)
	}
}
