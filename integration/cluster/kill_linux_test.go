package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// admissions submits tasks at every replica that answers until stopped, and
// gives the ids that were acknowledged.
type admissions struct {
	c *cluster
	load
	stop chan struct{}
	all  sync.WaitGroup

	mu  sync.Mutex
	ids []string
	gap time.Duration // the longest time without an acknowledgement
	at  time.Time
}

func (c *cluster) admit(workers int) *admissions {
	return c.under(load{workers: workers, every: 5 * time.Millisecond})
}

// load is who submits, and how often.
type load struct {
	workers int
	every   time.Duration   // each of them, at most
	sticky  bool            // each at a replica of its own: one that hangs does not delay the others
	took    func(id string) // called for each task that was acknowledged; may be nil
}

func (c *cluster) under(l load) *admissions {
	a := &admissions{c: c, load: l, stop: make(chan struct{}), at: time.Now()}
	for w := range l.workers {
		a.all.Go(func() { a.submit(w) })
	}
	return a
}

func (a *admissions) submit(worker int) {
	<-time.After(a.every * time.Duration(worker) / time.Duration(a.workers)) // not all at once
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for i := worker; ; i++ {
		select {
		case <-a.stop:
			return
		case <-tick.C:
		}
		if a.sticky {
			i = worker
		}
		id, err := a.c.submit(a.c.replicas[i%len(a.c.replicas)], "")
		if err != nil {
			continue
		}
		a.mu.Lock()
		a.ids, a.gap, a.at = append(a.ids, id), max(a.gap, time.Since(a.at)), time.Now()
		a.mu.Unlock()
		if a.took != nil {
			a.took(id)
		}
	}
}

// end stops admitting and gives what was acknowledged.
func (a *admissions) end() []string {
	close(a.stop)
	a.all.Wait()
	return a.ids
}

func (a *admissions) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

// more waits until that many more tasks were acknowledged.
func (a *admissions) more(n int, limit time.Duration) {
	a.c.t.Helper()
	want := a.count() + n
	testkit.Within(a.c.t, limit, "admissions go on", func() error {
		if have := a.count(); have < want {
			return fmt.Errorf("%d of %d", have, want)
		}
		return nil
	})
}

// TestNothingAcknowledgedIsLostByKills kills a random replica, again and again,
// while tasks are admitted and run. Afterwards each acknowledged task has ended,
// says so on each replica alike, and no task was completed twice.
func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	t.Parallel()
	rounds, l := 2, load{workers: 4, every: 5 * time.Millisecond}
	if long() { // at most 33 tasks a second: of more than 10,000 the oldest are forgotten
		rounds, l = 30, load{workers: 2, every: 60 * time.Millisecond}
	}
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 8, nil)
	a := c.under(l)
	a.more(50, 30*time.Second)
	for round := range rounds {
		victim := c.replicas[rand.IntN(3)]
		begin := time.Now()
		victim.kill()
		a.more(30, 20*time.Second)
		t.Logf("round %d: %s killed, 30 more tasks were acknowledged after %s", round, victim.name, time.Since(begin))
		victim.start()
		victim.serves()
	}
	ids := a.end()
	t.Logf("%d tasks acknowledged; the longest time without: %s", len(ids), a.gap)
	if a.gap > 15*time.Second {
		t.Errorf("no task was acknowledged for %s, want at most 15 s", a.gap)
	}
	c.judge(n, ids)
}

// judge waits for the end of all tasks and compares the replicas' records of them.
func (c *cluster) judge(n *node, ids []string) {
	c.t.Helper()
	tasks := c.finish(c.replicas[0], ids, 60*time.Second)
	ends := make(map[string]int)
	for id, task := range tasks {
		ends[fmt.Sprint(task["state"])]++
		n.mu.Lock()
		finished, started := n.finished[id], n.started[id]
		n.mu.Unlock()
		switch {
		case task["state"] == "completed" && finished == 0:
			c.t.Errorf("task %s is completed, but no answer was given to its end", id)
		case task["state"] == "completed" && task["tokens_out"] != float64(tokens):
			c.t.Errorf("task %s is completed with %v tokens", id, task["tokens_out"])
		case task["state"] == "failed":
			// One that was allowed to show tokens may not even have reached the node.
			if e, _ := task["error"].(map[string]any); e["code"] != "WORKER_RESET" || started == 0 && task["first_token_at"] != nil {
				c.t.Errorf("task %s failed: %v (dispatched %d times)", id, task["error"], started)
			}
		}
	}
	c.t.Logf("%d tasks: %v", len(ids), ends)
	for _, r := range c.replicas[1:] {
		for id, task := range c.finish(r, ids, 20*time.Second) {
			if task["state"] != tasks[id]["state"] || task["ended_at"] != tasks[id]["ended_at"] {
				c.t.Errorf("task %s: %s says %v at %v, %s says %v at %v", id, r.name, task["state"], task["ended_at"],
					c.replicas[0].name, tasks[id]["state"], tasks[id]["ended_at"])
			}
		}
	}
}
