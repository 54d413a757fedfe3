package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestLeadersGatherAtTheScheduler moves them to each replica in turn while another one
// writes, and counts the elections: a move is one for each stream, and no storm.
func TestLeadersGatherAtTheScheduler(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	r.groups(0, 3, true)
	ctx, end := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	stopWriting := func() { end(); writing.Wait() }
	defer stopWriting()
	written := 0
	writing.Go(func() {
		for ctx.Err() == nil {
			limit, cancel := context.WithTimeout(t.Context(), testkit.Limit)
			if err := r.stores[0].Bucket(store.Tasks).Put(limit, fmt.Sprint("key", written), nil); err == nil {
				written++
			}
			cancel()
		}
	})
	moved := store.Gathered()
	for i, s := range r.stores {
		before := terms(s, moved)
		begin := time.Now()
		limit, cancel := contextFor(t, testkit.Limit)
		s.GatherLeaders(limit)
		cancel()
		t.Logf("the leaders were at %s after %s", s.Replica(), time.Since(begin).Round(time.Millisecond))
		testkit.Within(t, testkit.Limit, fmt.Sprintf("all follow replica %d", i), func() error {
			for _, g := range s.GroupStates(t.Context()) {
				if slices.Contains(moved, g.Name) && g.Leader != s.Replica() {
					return fmt.Errorf("%s is led by %q", g.Name, g.Leader)
				}
			}
			return nil
		})
		for name, term := range terms(s, moved) {
			if term > before[name]+2*store.GatherTries {
				t.Errorf("%s: term %d before, %d after", name, before[name], term)
			}
		}
		before = terms(s, moved)
		s.GatherLeaders(t.Context()) // there is nothing to do
		for name, term := range terms(s, moved) {
			if term != before[name] {
				t.Errorf("%s: another election, though its leader was here", name)
			}
		}
	}
	stopWriting()
	if written == 0 {
		t.Error("no write succeeded meanwhile")
	}
}

func terms(s *store.Store, names []string) map[string]uint64 {
	found := map[string]uint64{}
	for _, g := range s.OwnGroups() {
		if slices.Contains(names, g.Name) {
			found[g.Name] = g.Term
		}
	}
	return found
}
