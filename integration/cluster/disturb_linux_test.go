package cluster_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestAReturningReplicaDoesNotDisturb has a replica lose the others for longer than several
// elections take, in three ways. Groups that it did not lead keep their leader and
// their term, although it has heard none meanwhile: it did not campaign.
func TestAReturningReplicaDoesNotDisturb(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	for i, way := range []struct {
		name string
		do   func(r *replica, away bool)
	}{
		{"nothing arrives", c.hold},
		{"connections are refused", c.isolate},
		{"it is paused", func(r *replica, away bool) {
			signal := syscall.SIGCONT
			if away {
				signal = syscall.SIGSTOP
			}
			_ = syscall.Kill(r.pid(), signal)
		}},
	} {
		away, asked := c.replicas[i], c.replicas[(i+1)%3]
		before := c.elections(asked)
		way.do(away, true)
		<-time.After(7 * time.Second)
		during := c.elections(asked)
		way.do(away, false)
		away.serves()
		<-time.After(3 * time.Second) // it has talked to each leader
		after := c.elections(asked)
		kept := 0
		for group, e := range before {
			if e.leader == away.name {
				continue
			}
			kept++
			if during[group] != e || after[group] != e {
				t.Errorf("%s: group %s: %v, then %v while %s was away, then %v", way.name, group, e, during[group], away.name, after[group])
			}
		}
		for group, e := range during {
			if after[group] != e {
				t.Errorf("%s: group %s: %v before %s was back, then %v", way.name, group, e, away.name, after[group])
			}
		}
		t.Logf("%s: %d groups kept their leader", way.name, kept)
	}
}

// election is who leads a group, and by which election.
type election struct {
	leader string
	term   float64
}

// elections gives those of all groups as the replica tells them, when each has a leader.
func (c *cluster) elections(r *replica) map[string]election {
	c.t.Helper()
	all := make(map[string]election)
	testkit.Within(c.t, 30*time.Second, r.name+" knows a leader of each group", func() error {
		status, answer, err := c.try(r, "ops", "metrics", "GET", "/v2/meta/replica", "")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			return err
		}
		groups, _ := answer["groups"].([]any)
		for _, g := range groups {
			g := g.(map[string]any)
			e := election{}
			e.leader, _ = g["leader"].(string)
			e.term, _ = g["term"].(float64)
			if e.leader == "" || e.term == 0 {
				return fmt.Errorf("%v", g)
			}
			all[g["name"].(string)] = e
		}
		if len(all) == 0 {
			return fmt.Errorf("no groups")
		}
		return nil
	})
	return all
}
