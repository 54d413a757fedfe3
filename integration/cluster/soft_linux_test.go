package cluster_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// knows waits until the replica says that the node's pool has that many free slots.
func (n *node) knows(r *replica, slots int) {
	n.c.t.Helper()
	testkit.Within(n.c.t, 20*time.Second, fmt.Sprintf("%s knows the node with %d free slots", r.name, slots), func() error {
		status, answer, err := n.c.try(r, "admin", "admin", "GET", "/v2/pools/p/health", "")
		if err == nil && (status != http.StatusOK || answer["ready"] != true || answer["slots_free"] != float64(slots)) {
			err = fmt.Errorf("status %d %v", status, answer)
		}
		return err
	})
}

func (n *node) is(r *replica, what string, got int, err error) {
	n.c.t.Helper()
	if err != nil || got != http.StatusOK {
		n.c.t.Errorf("%s at %s: %d, %v", what, r.name, got, err)
	}
}

// TestNodesCallWithoutAQuorum kills two of three replicas: the third one has no leader to
// ask, and takes heartbeats and registrations of known nodes all the same. A new node id
// has to be written down, and is refused for now. The node's token is on no disk.
func TestNodesCallWithoutAQuorum(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	n := &node{c: c, slots: 2}
	n.serve(t)
	for i, r := range c.replicas { // one registers it, and all hear of it
		if i == 0 {
			status, err := n.register(r)
			n.is(r, "registering", status, err)
		}
		n.knows(r, 2)
	}
	r := c.replicas[2]
	status, err := n.beat(r) // of a registration at another one
	n.is(r, "a heartbeat", status, err)
	for _, lost := range c.replicas[:2] {
		lost.kill()
	}
	testkit.Within(t, 40*time.Second, r.name+" has no quorum", func() error {
		status, answer, err := c.try(r, "", "", "GET", "/ready", "")
		if err == nil && (status != http.StatusServiceUnavailable || answer["reason"] != "no_quorum") {
			err = fmt.Errorf("status %d %v", status, answer)
		}
		return err
	})
	n.slots = 3
	status, err = n.beat(r)
	n.is(r, "a heartbeat without a quorum", status, err)
	n.knows(r, 3)
	n.slots = 4
	status, err = n.register(r)
	n.is(r, "a registration without a quorum", status, err)
	n.knows(r, 4)
	if status, err := n.registerAs(r, "node2"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a new node id: %d, %v", status, err)
	}
	for _, r := range c.replicas {
		if found := containing(t, r.dir, nodeToken); len(found) > 0 {
			t.Errorf("the node's token is in %s", found)
		}
	}
}

// TestAReplicaComesBackAndAnotherIsLost kills a replica, starts it again, and kills another
// one as soon as it is back: what the nodes have reported is at the third one alone, and the
// one that is back has asked it. It refuses no task because it does not know the model.
func TestAReplicaComesBackAndAnotherIsLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 4, nil)
	for _, r := range c.replicas {
		n.knows(r, 4)
	}
	back, lost := c.replicas[0], c.replicas[1]
	back.kill()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	var unknown []string
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if status, answer, err := c.try(back, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","max_tokens":1}`); err == nil && status == http.StatusNotFound {
				unknown = append(unknown, fmt.Sprint(answer["code"]))
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	back.start()
	back.serves()
	lost.kill()
	for _, r := range []*replica{back, c.replicas[2]} {
		status, err := n.beat(r)
		n.is(r, "a heartbeat", status, err)
		testkit.Within(t, 40*time.Second, "tasks are admitted at "+r.name, func() error {
			_, err := c.submit(r, "")
			return err
		})
	}
	id, err := c.admitted(back)
	if err != nil {
		t.Fatal(err)
	}
	c.finish(back, []string{id}, 40*time.Second)
	close(stop)
	watching.Wait()
	if len(unknown) > 0 {
		t.Errorf("%d tasks were answered with 404: %s", len(unknown), unknown[0])
	}
}

// single is a single orchestrator.
func single(t *testing.T) *replica {
	t.Helper()
	if _, err := build(); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, upstream: authmin.RandomSecret()}
	r := &replica{c: c, name: "single", http: testkit.FreeAddress(t), dir: filepath.Join(t.TempDir(), "state")}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "ORCHD_ADDR=" + r.http, "ORCHD_STATE_DIR=" + r.dir, "LLORCH_UPSTREAM_TOKEN=" + c.upstream.Reveal()}
	c.become(r)
	c.cleanUp()
	return r
}

// TestASingleServerAdmitsBeforeItsNodesAreBack kills it. It knows from its disk which models
// its nodes have, and admits tasks for them; it has not their tokens, and dispatches when
// they have registered again.
func TestASingleServerAdmitsBeforeItsNodesAreBack(t *testing.T) {
	t.Parallel()
	r := single(t)
	c := r.c
	r.start()
	r.serves()
	n := &node{c: c, slots: 1}
	n.serve(t)
	status, err := n.register(r)
	n.is(r, "registering", status, err)
	testkit.Within(t, testkit.Limit, "the node is on the disk", func() error {
		text, err := os.ReadFile(filepath.Join(r.dir, "nodes.json"))
		if err == nil && !strings.Contains(string(text), `"node1"`) {
			err = fmt.Errorf("it is %s", text)
		}
		return err
	})
	r.kill()
	begin := time.Now()
	r.start()
	var id string
	testkit.Within(t, 40*time.Second, "a task is admitted", func() error {
		status, answer, err := c.try(r, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","max_tokens":1}`)
		switch {
		case err != nil:
		case status == http.StatusAccepted:
			id = answer["task_id"].(string)
		default:
			err = fmt.Errorf("status %d %v", status, answer["code"])
			if answer["code"] != "STARTING" {
				t.Errorf("%v: its node is known", err)
			}
		}
		return err
	})
	t.Logf("admitted %s after the start", time.Since(begin))
	if status, err := n.beat(r); err != nil || status != http.StatusNotFound {
		t.Errorf("a heartbeat before the registration: %d, %v", status, err)
	}
	if task, err := c.task(r, id); err != nil || task["state"] != "queued" {
		t.Errorf("before the node is back, the task is %v, %v", task["state"], err)
	}
	if found := containing(t, r.dir, nodeToken); len(found) > 0 {
		t.Errorf("the node's token is in %s", found)
	}
	status, err = n.register(r)
	n.is(r, "registering again", status, err)
	n.runs(id, 1, testkit.Limit)
	if got := c.finish(r, []string{id}, testkit.Limit); got[id]["state"] != "completed" {
		t.Errorf("the task: %v", got[id])
	}
}
