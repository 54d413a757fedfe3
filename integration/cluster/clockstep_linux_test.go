package cluster_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestTheClocksAreSet sets the clock of all machines by an hour, forward and back,
// while a task streams, others wait and one is about to pass its deadline: a wall
// clock decides about none of them, nor about who schedules and which nodes live.
func TestTheClocksAreSet(t *testing.T) {
	if !long() {
		return
	}
	hands, program := newClock(t)
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			hands.set(0)
			c := newCluster(t, 3, "TEST_CLOCK="+hands.file)
			for _, r := range c.replicas {
				r.path = program
			}
			c.start()
			stepped(t, c, hands, step)
		})
	}
}

func stepped(t *testing.T, c *cluster, hands *clock, step time.Duration) {
	hold := make(chan struct{})
	n := (&node{c: c, slots: 1, hold: hold, now: hands.now}).join(t)
	r := c.replicas[0]
	streams, err := c.admitted(r)
	if err != nil {
		t.Fatal(err)
	}
	n.runs(streams, 1, 20*time.Second)
	follower := c.follow(c.replicas[1], streams, 0)
	expectKinds(t, follower, "started", "token")
	testkit.Within(t, 10*time.Second, "the node is registered with its clock", func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.beats < 2 {
			return fmt.Errorf("%d heartbeats", n.beats)
		}
		return nil
	})
	waits, err := c.submit(r, "")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	late, err := c.submit(r, `,"deadline_ms":8000`)
	if err != nil {
		t.Fatal(err)
	}
	first := c.keyed(r, "before")

	hands.set(step)
	if again := c.keyed(r, "before"); again != first {
		t.Errorf("the same Idempotency-Key: got task %s, want %s", again, first)
	}
	testkit.Within(t, 20*time.Second, "the deadline passes", func() error {
		task, err := c.task(r, late)
		if err == nil && task["state"] != "failed" {
			err = fmt.Errorf("it is %v", task["state"])
		}
		return err
	})
	if took := time.Since(begin); took < 7*time.Second || took > 12*time.Second {
		t.Errorf("a deadline of 8 s passed after %s", took)
	}
	hold <- struct{}{}
	expectKinds(t, follower, "token")
	hold <- struct{}{}
	expectKinds(t, follower, "token")
	close(hold)
	expectKinds(t, follower, "end", "")
	for id, task := range c.finish(r, []string{streams, waits, first}, 30*time.Second) {
		if task["state"] != "completed" || task["attempt"] != 1.0 {
			t.Errorf("task %s: %v", id, task)
		}
	}
	<-time.After(35 * time.Second)
	for _, r := range c.replicas { // longer than a node may be silent
		id, err := c.submit(r, "")
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		n.runs(id, 1, 5*time.Second)
	}
	said := ""
	for _, r := range c.replicas {
		said += r.out.String()
	}
	if leaders := strings.Count(said, "leadership acquired"); leaders != 1 {
		t.Errorf("leadership was acquired %d times, want once", leaders)
	}
	if !strings.Contains(said, hands.now().UTC().Format(`"2006-01-02T15`)) {
		t.Error("no line of the logs has the new time") // the control
	}
}

func expectKinds(t *testing.T, s *stream, want ...string) {
	t.Helper()
	for _, kind := range want {
		if got := s.next(); got != kind {
			t.Fatalf("%s: got %q, want %q", s.at.name, got, kind)
		}
	}
}

// keyed submits with an Idempotency-Key and gives the task's id.
func (c *cluster) keyed(r *replica, key string) string {
	c.t.Helper()
	req, err := http.NewRequest("POST", "http://"+r.http+"/v2/tasks", strings.NewReader(`{"model_ref":"demo","prompt":"hello","max_tokens":8}`))
	if err != nil {
		c.t.Fatal(err)
	}
	c.sign(req, "ci", "infer")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		ID string `json:"task_id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusAccepted {
		c.t.Fatalf("status %d, %v", res.StatusCode, err)
	}
	return answer.ID
}
