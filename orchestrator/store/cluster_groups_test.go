package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// groups waits until the replica says of each stream, and of the cluster, that so many
// replicas are current, and whether one more may be lost.
func (r *replicas) groups(of, current int, mayLose bool) {
	r.t.Helper()
	st := r.stores[of]
	testkit.Within(r.t, testkit.Limit, fmt.Sprintf("%d replicas are current", current), func() error {
		all := st.GroupStates(r.t.Context())
		if len(all) != 11 {
			return fmt.Errorf("got %d groups, want those of 10 streams and of the cluster: %+v", len(all), all)
		}
		for _, g := range all {
			if g.Current != current || g.Leader == "" || g.Term == 0 || g.Lag > 1000 || g.MayLose != mayLose {
				return fmt.Errorf("got %+v", g)
			}
		}
		if got := store.MayLose(all, len(r.stores)); got != mayLose {
			return fmt.Errorf("another one may be lost: %t, want %t", got, mayLose)
		}
		return nil
	})
}

// One group with too few replicas is enough to forbid it, and so is none at all.
func TestOneGroupForbidsToLoseAReplica(t *testing.T) {
	good := []store.Group{{Name: "a", Leader: "x", Current: 3}, {Name: "b", Leader: "y", Current: 3}}
	if !store.MayLose(good, 3) {
		t.Error("three of three: got false")
	}
	for name, bad := range map[string]store.Group{
		"two are current": {Name: "c", Leader: "x", Current: 2}, "no leader": {Name: "c", Current: 3},
	} {
		if store.MayLose(append(slices.Clone(good), bad), 3) {
			t.Errorf("%s: got true", name)
		}
	}
	if store.MayLose(nil, 3) {
		t.Error("no group: got true")
	}
}

// A single server has no group, and cannot be lost.
func TestASingleServerHasNoGroup(t *testing.T) {
	st := open(t, t.TempDir())
	all := st.GroupStates(t.Context())
	if all == nil || len(all) > 0 || store.MayLose(all, 1) {
		t.Errorf("got %#v, %t", all, store.MayLose(all, 1))
	}
	if replicas, connected := st.Replicas(); replicas != 1 || connected != 1 {
		t.Errorf("got %d replicas, %d connected", replicas, connected)
	}
	if space, err := st.Space(); err != nil || space.Free == 0 || space.Required != 128<<20 {
		t.Errorf("got %+v, %v", space, err)
	}
}
