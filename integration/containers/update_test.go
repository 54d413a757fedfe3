//go:build containers

package containers

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// admissions is a client that submits some tasks a second, each to the next gateway that
// admits it, as clients with several addresses do.
type admissions struct {
	c    *cloud
	stop chan struct{}
	all  sync.WaitGroup
	ids  []string
	gap  time.Duration // the longest time between two admissions
}

const (
	admitPause = 100 * time.Millisecond
	// admitLimit bounds one attempt, so that a gateway that hangs is left for the next one.
	admitLimit = 2 * time.Second
)

func (c *cloud) admit() *admissions {
	a := &admissions{c: c, stop: make(chan struct{})}
	a.all.Go(func() {
		last := time.Now()
		for turn := 0; ; turn++ {
			id := uuid.NewString()
			body := fmt.Sprintf(`{"task_id":%q,"model_ref":"demo","prompt":"hello","max_tokens":2}`, id)
			g := c.orchestrators[turn%len(c.orchestrators)]
			client := *g.client
			client.Timeout = admitLimit
			g.client = &client
			if _, err := g.wants(http.StatusAccepted, http.MethodPost, "/v2/tasks", c.token, body); err == nil {
				now := time.Now()
				a.ids, a.gap, last = append(a.ids, id), max(a.gap, now.Sub(last)), now
			}
			select {
			case <-a.stop:
				a.gap = max(a.gap, time.Since(last))
				return
			case <-time.After(admitPause):
			}
		}
	})
	return a
}

// end stops it, and looks that nothing that was acknowledged is lost.
func (a *admissions) end() {
	a.c.t.Helper()
	close(a.stop)
	a.all.Wait()
	if len(a.ids) == 0 {
		a.c.t.Error("no task was admitted")
	}
	for i, id := range a.ids {
		a.c.knows(i%len(a.c.orchestrators), id)
	}
}

// update gives the orchestrators and their gateways another image under load, by the
// commands of deploy/docs/operations.md.
func (c *cloud) update() {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "..", "..", "docs", "operations.md"))
	if err != nil {
		c.t.Fatal(err)
	}
	blocks := gatewaytest.ConsoleBlocks(string(text), "Upgrade")
	if len(blocks) != 1 {
		c.t.Fatalf("blocks %q, want the one of the upgrade with Compose", blocks)
	}
	docker(c.t, "tag", image, image+"-next")
	c.t.Cleanup(func() { docker(c.t, "image", "rm", "--force", image+"-next") })
	c.env = append(c.env, "LLORCH_IMAGE="+image+"-next") // the last one counts
	before := c.container("orchestrator1")
	a := c.admit()
	begin := time.Now()
	out := c.sh(blocks[0])
	took := time.Since(begin)
	a.end()
	if n := strings.Count(out, "answers 200"); n != 3 || c.container("orchestrator1") == before {
		c.t.Errorf("want three new replicas, each ready once:\n%s", out)
	}
	c.t.Logf("three replicas were updated in %s, while %d tasks were admitted; the longest time without an admission: %s",
		took.Round(time.Millisecond), len(a.ids), a.gap.Round(time.Millisecond))
	for i := range c.orchestrators {
		service := fmt.Sprint("orchestrator", i+1)
		testkit.Eventually(c.t, service+" is healthy", func() bool { return c.inspect(service).State.Health.Status == "healthy" })
	}
}
