//go:build containers

package containers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/testkit"
)

// patience is no claim about speed: on a busy machine ten containers start slowly.
const patience = 4 * time.Minute

// A cloud is the project of deploy/containers/cloud, with its gateways by number.
type cloud struct {
	*project
	orchestrators [3]gateway
	token         string
}

func startCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{project: newProject(t, "cloud", "compose.yaml")}
	if _, err := run(c.dir, c.env, "./secrets.sh"); err != nil {
		t.Fatal(err)
	}
	c.token = c.project.token("me", "admin")
	roots := rootsOf(t, filepath.Join(c.dir, "secrets", "ca.pem"))
	for i := range c.orchestrators {
		address := testkit.FreeAddress(t)
		c.orchestrators[i] = gatewayAt(fmt.Sprintf("orch%d", i+1), address, roots)
		_, port, _ := strings.Cut(address, ":")
		c.env = append(c.env, fmt.Sprintf("LLORCH_PORT_%d=%s", i+1, port))
	}
	c.must("up", "--detach")
	for i := range c.orchestrators {
		c.serves(i)
	}
	c.online(2)
	return c
}

// serves waits until an orchestrator is ready, through its gateway.
func (c *cloud) serves(i int) {
	c.t.Helper()
	testkit.Within(c.t, patience, "an orchestrator serves", func() error {
		_, err := c.orchestrators[i].wants(http.StatusOK, http.MethodGet, "/ready", "", "")
		return err
	})
}

// online waits until each orchestrator that is asked counts so many nodes online.
func (c *cloud) online(n int, from ...int) {
	c.t.Helper()
	if len(from) == 0 {
		from = []int{0, 1, 2}
	}
	for _, i := range from {
		testkit.Within(c.t, patience, fmt.Sprintf("%d nodes are online", n), func() error {
			text, err := c.orchestrators[i].wants(http.StatusOK, http.MethodGet, "/v2/nodes", c.token, "")
			if got := strings.Count(text, `"online"`); err == nil && got != n {
				err = fmt.Errorf("%d nodes are online", got)
			}
			return err
		})
	}
}

// runs waits until a task at that orchestrator runs to its end: one that is admitted
// while a leader is elected may be refused, and is not acknowledged then.
func (c *cloud) runs(i int, when string) (id string) {
	c.t.Helper()
	testkit.Within(c.t, patience, "a task "+when, func() error {
		id = uuid.NewString()
		return c.orchestrators[i].task(c.token, id)
	})
	return id
}

// knows looks that an acknowledged task is known to have ended.
func (c *cloud) knows(i int, id string) {
	c.t.Helper()
	testkit.Within(c.t, patience, "an acknowledged task is kept", func() error {
		text, err := c.orchestrators[i].wants(http.StatusOK, http.MethodGet, "/v2/tasks/"+id, c.token, "")
		var task struct{ State string }
		if err == nil && (json.Unmarshal([]byte(text), &task) != nil || task.State != "succeeded" && task.State != "completed" && task.State != "ended") {
			err = fmt.Errorf("the task is %s", text)
		}
		return err
	})
}

// TestCloud starts three orchestrators and two workers, and takes parts of it away.
func TestCloud(t *testing.T) {
	step := stepsOf(t)
	c := startCloud(t)
	step("start")
	var ours []string
	for i := range 3 {
		ours = append(ours, fmt.Sprintf("orch%d", i+1), fmt.Sprintf("orchestrator%d", i+1))
	}
	ours = append(ours, "worker1", "poolmanager1", "worker2", "poolmanager2")
	c.confined(ours...)
	c.onlyPublished("orch1", "orch2", "orch3")
	c.onlyGatewaysListen()
	first := c.runs(0, "at the start")
	step("look from outside")

	c.must("kill", "worker1", "poolmanager1")
	c.runs(0, "without a worker")

	c.must("kill", "orchestrator1")
	c.runs(1, "without a worker and an orchestrator")
	c.knows(2, first)
	c.must("start", "worker1", "poolmanager1", "orchestrator1")
	c.serves(0)
	c.online(2)
	step("kill and start again")

	c.cutAndJoin()
	step("cut off and join")
	c.rotate()
	step("rotate a secret")
	c.update()
	step("update")
	c.runs(2, "at the end")
	for i := range c.orchestrators {
		c.knows(i, first)
	}
}

// stepsOf logs how long each step of a test took, at its end.
func stepsOf(t *testing.T) (step func(name string)) {
	begin := time.Now()
	return func(name string) {
		t.Helper()
		t.Logf("%s: %.1f s", name, time.Since(begin).Seconds())
		begin = time.Now()
	}
}

// onlyGatewaysListen connects to the ports of the programs from the network of the nodes.
func (c *cloud) onlyGatewaysListen() {
	c.t.Helper()
	addresses, open := []string{}, 0
	for _, service := range []string{"orch1", "orchestrator1", "worker1", "poolmanager1"} {
		ip := c.inspect(service).NetworkSettings.Networks[c.name+"_nodes"].IPAddress
		for _, port := range []string{"6222", "8081", "8443", "9200"} {
			addresses = append(addresses, ip+":"+port)
		}
		if !strings.HasSuffix(service, "r1") || service == "worker1" {
			open++
		}
	}
	out := docker(c.t, append([]string{"run", "--rm", "--network", c.name + "_nodes", stub}, addresses...)...)
	if got := strings.Count(out, "is open"); got != open || strings.Count(out, ":8443 is open") != open {
		c.t.Errorf("want the gateways' port alone to be open, got\n%s", out)
	}
}

// cutAndJoin takes an orchestrator off the network between orchestrators.
func (c *cloud) cutAndJoin() {
	c.t.Helper()
	network := c.name + "_cluster"
	docker(c.t, "network", "disconnect", network, c.container("orchestrator2"))
	c.runs(2, "while an orchestrator is cut off")
	testkit.Within(c.t, patience, "the one that is cut off admits nothing", func() error {
		_, err := c.orchestrators[1].wants(http.StatusServiceUnavailable, http.MethodPost, "/v2/tasks", c.token, `{"model_ref":"demo","prompt":"hello"}`)
		return err
	})
	docker(c.t, "network", "connect", "--ip", c.net+".12", network, c.container("orchestrator2"))
	c.serves(1)
	c.runs(1, "where an orchestrator was cut off")
}

// rotate gives orchestrator3 and its gateway another secret, in the mounted directories:
// first the gateway alone, whose requests the orchestrator refuses, then both.
func (c *cloud) rotate() {
	c.t.Helper()
	started := c.inspect("orchestrator3").State.StartedAt + c.inspect("orch3").State.StartedAt
	next := []byte(strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", ""))
	replace := func(part string) {
		c.t.Helper()
		file := filepath.Join(c.dir, "secrets", "orch3", part, "upstream_token")
		if was, err := os.ReadFile(file); err != nil || bytes.Equal(was, next) {
			c.t.Fatal(err)
		}
		for _, err := range []error{os.WriteFile(file+".next", next, 0o600), os.Chown(file+".next", 10001, 10001), os.Rename(file+".next", file)} {
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
	answers := func(want bool) func() error {
		return func() error {
			_, err := c.orchestrators[2].wants(http.StatusOK, http.MethodGet, "/v1/models", c.token, "")
			if !want && err == nil {
				return errors.New("it answers")
			}
			if !want {
				return nil
			}
			return err
		}
	}
	replace("gateway")
	testkit.Within(c.t, patience, "the orchestrator refuses a secret that it does not have", answers(false))
	replace("backend")
	testkit.Within(c.t, patience, "both have the new secret", answers(true))
	if now := c.inspect("orchestrator3").State.StartedAt + c.inspect("orch3").State.StartedAt; now != started {
		c.t.Error("a container was restarted for the rotation")
	}
}
