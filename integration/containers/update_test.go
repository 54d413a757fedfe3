//go:build containers

package containers

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// admitLimit bounds one attempt, so that a gateway that hangs is left for the next one.
const admitLimit = 2 * time.Second

// admit submits a task to the next gateway, as clients with several addresses do.
func (c *cloud) admit(turn int) (id string, err error) {
	id = uuid.NewString()
	body := fmt.Sprintf(`{"task_id":%q,"model_ref":"demo","prompt":"hello","max_tokens":2}`, id)
	g := c.orchestrators[turn%len(c.orchestrators)]
	client := *g.client
	client.Timeout = admitLimit
	g.client = &client
	_, err = g.wants(http.StatusAccepted, http.MethodPost, "/v2/tasks", c.token, body)
	return id, err
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
	a := gatewaytest.Admit(c.admit)
	begin := time.Now()
	out := c.sh(blocks[0])
	took := time.Since(begin)
	ids, gap := a.End()
	if len(ids) == 0 {
		c.t.Error("no task was admitted")
	}
	for i, id := range ids {
		c.knows(i%len(c.orchestrators), id)
	}
	if n := strings.Count(out, "answers 200"); n != 3 || c.container("orchestrator1") == before {
		c.t.Errorf("want three new replicas, each ready once:\n%s", out)
	}
	c.t.Logf("three replicas were updated in %s, while %d tasks were admitted; the longest time without an admission: %s",
		took.Round(time.Millisecond), len(ids), gap.Round(time.Millisecond))
	for i := range c.orchestrators {
		service := fmt.Sprint("orchestrator", i+1)
		testkit.Within(c.t, patience, service+" is healthy", func() error {
			if status := c.inspect(service).State.Health.Status; status != "healthy" {
				return fmt.Errorf("its health is %q", status)
			}
			return nil
		})
	}
}
