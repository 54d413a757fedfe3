package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestTheLossOfAnotherReplicaIsNotSeen kills a replica that neither runs the tasks
// nor serves their readers, but may lead any of the streams that the state is kept
// in. What runs goes on, and each reader gets each token, once, wherever it reads.
func TestTheLossOfAnotherReplicaIsNotSeen(t *testing.T) {
	t.Parallel()
	rounds := 1
	if long() {
		rounds = 10
	}
	c := newCluster(t, 3)
	c.start()
	n := (&node{c: c, slots: 4, pace: 50 * time.Millisecond, length: 300}).join(t) // longer than an election
	for round := range rounds {
		var ids []string
		var runner *replica
		for range 3 {
			var id string
			testkit.Within(t, 20*time.Second, "a task is admitted", func() (err error) { id, err = c.submit(c.replicas[0], ""); return err })
			runner = n.runs(id, 1, 20*time.Second)
			ids = append(ids, id)
		}
		victim, witness := c.followers(runner)
		var reading sync.WaitGroup
		for _, r := range []*replica{runner, witness} {
			for _, id := range ids {
				s := c.follow(r, id, 0)
				reading.Go(func() { s.wants(n.length) })
			}
		}
		<-time.After(time.Second)
		victim.kill()
		reading.Wait()
		for id, task := range c.finish(witness, ids, 20*time.Second) {
			if task["state"] != "completed" || task["attempt"] != 1.0 {
				t.Errorf("round %d, %s runs and %s is killed: task %s: %v", round, runner.name, victim.name, id, task)
			}
		}
		for _, id := range ids { // and from the log
			c.follow(witness, id, 0).wants(n.length)
		}
		victim.start()
		victim.serves()
	}
}

// followers gives the two replicas beside this one, in any order.
func (c *cluster) followers(r *replica) (one, two *replica) {
	var rest []*replica
	for _, o := range c.replicas {
		if o != r {
			rest = append(rest, o)
		}
	}
	i := rand.IntN(2)
	return rest[i], rest[1-i]
}

// wants reads the stream of a task that is completed with so many tokens.
func (s *stream) wants(tokens int) {
	kinds := make(map[string]int)
	for kind := s.next(); kind != ""; kind = s.next() {
		kinds[kind]++
	}
	if want := map[string]int{"started": 1, "token": tokens, "end": 1}; fmt.Sprint(kinds) != fmt.Sprint(want) {
		s.c.t.Errorf("read at %s: got %v, want %v", s.at.name, kinds, want)
	}
}
