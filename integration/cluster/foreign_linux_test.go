package cluster_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestNothingAcknowledgedIsLostInAForeignCluster kills a random replica and a random
// NATS server, one after the other, while tasks are admitted and run. The servers are
// not ours, and the promise is the same.
func TestNothingAcknowledgedIsLostInAForeignCluster(t *testing.T) {
	t.Parallel()
	rounds, l := 1, load{workers: 4, every: 5 * time.Millisecond}
	if long() {
		rounds, l = 10, load{workers: 2, every: 60 * time.Millisecond}
	}
	c, servers := newForeign(t)
	n := newNode(t, c, 8, nil)
	a := c.under(l)
	a.more(50, 30*time.Second)
	for round := range rounds {
		for _, of := range [][]*replica{c.replicas, servers} {
			victim := of[rand.IntN(len(of))]
			begin := time.Now()
			victim.kill()
			a.more(30, 20*time.Second)
			t.Logf("round %d: %s killed, 30 more tasks were acknowledged after %s", round, victim.name, time.Since(begin))
			victim.start()
			if victim.http != "" {
				victim.serves()
			} else {
				a.more(100, 20*time.Second)
			}
		}
	}
	ids := a.end()
	t.Logf("%d tasks acknowledged; the longest time without: %s", len(ids), a.gap)
	if a.gap > 15*time.Second {
		t.Errorf("no task was acknowledged for %s, want at most 15 s", a.gap)
	}
	c.judge(n, ids)
}
