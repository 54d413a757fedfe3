package cluster_test

import (
	"os"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestAllAreLostAndThenADisk takes the power from all replicas at once, in the
// middle of admissions, and then a whole disk from one of them.
func TestAllAreLostAndThenADisk(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 4, nil)
	a := c.admit(4)
	a.more(100, 30*time.Second)
	for _, r := range c.replicas {
		r.kill()
	}
	for _, r := range c.replicas {
		r.start()
	}
	begin := time.Now()
	a.more(20, 40*time.Second)
	t.Logf("all were killed; tasks are admitted again %s after the start", time.Since(begin))
	for _, r := range c.replicas {
		r.serves()
	}
	ids := a.end()
	c.judge(n, ids)

	lost := c.replicas[1]
	lost.kill()
	if err := os.RemoveAll(lost.dir); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	lost.start()
	lost.serves()
	c.finish(lost, ids, 20*time.Second)
	t.Logf("a replica without its disk knows all tasks after %s", time.Since(begin))
	testkit.Within(t, 20*time.Second, "the new disk has what was acknowledged", func() error { return has(lost.dir, ids[len(ids)-1]) })
	c.mayLose(lost, true)
	c.replicas[0].stop()
	c.mayLose(lost, false)
	c.replicas[2].stop()
	lost.answers("/ready", `503 {"status":"not_ready","reason":"no_quorum"}`)
	lost.answers("/health", `200 {"status":"ok"}`)
	c.replicas[2].start()
	c.replicas[2].serves()
	c.finish(c.replicas[2], ids, 20*time.Second)
}
