package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// others gives a replica that is not r.
func (c *cluster) other(r *replica) *replica {
	for _, o := range c.replicas {
		if o != r {
			return o
		}
	}
	return nil
}

// TestTheSchedulerIsLost stops the replica that schedules, first as an operator
// does, then as a power supply does, and takes the time until another one
// schedules: under 2 s and under 15 s are promised.
func TestTheSchedulerIsLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 8, nil)
	run := func(at *replica, limit time.Duration) (*replica, time.Duration) {
		t.Helper()
		begin := time.Now()
		var id string
		testkit.Within(t, limit, "a task is admitted", func() (err error) { id, err = c.submit(at, ""); return err })
		who := n.runs(id, 1, limit-time.Since(begin))
		return who, time.Since(begin)
	}
	first, _ := run(c.replicas[0], 20*time.Second)
	stopping := make(chan struct{})
	go func() { defer close(stopping); first.stop() }()
	second, took := run(c.other(first), 10*time.Second)
	t.Logf("clean stop of %s: a task ran by %s after %s", first.name, second.name, took)
	<-stopping
	if took > 2*time.Second {
		t.Errorf("after a clean stop: %s until a task ran, want under 2 s", took)
	}
	if _, took = run(c.other(first), 10*time.Second); took > 2*time.Second {
		t.Errorf("after a clean stop: %s until another task ran, want under 2 s", took)
	}
	first.start()
	first.serves()

	second, _ = run(first, 10*time.Second)
	second.kill()
	third, took := run(c.other(second), 20*time.Second)
	t.Logf("kill -9 of %s: a task ran by %s after %s", second.name, third.name, took)
	if took > 15*time.Second {
		t.Errorf("after kill -9: %s until a task ran, want under 15 s", took)
	}
}

// TestAStreamOutlivesTheStopOfItsScheduler: with time to drain, what runs is
// finished by the replica that stops, while another one already schedules.
func TestAStreamOutlivesTheStopOfItsScheduler(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, "ORCHD_DRAIN_MS=20000")
	c.start()
	hold := make(chan struct{})
	n := newNode(t, c, 8, hold)
	running, err := c.admitted(c.replicas[0])
	if err != nil {
		t.Fatal(err)
	}
	first := n.runs(running, 1, 20*time.Second)
	stopping := make(chan struct{})
	go func() { defer close(stopping); first.stop() }()
	begin := time.Now()
	other := c.other(first)
	later, err := c.admitted(other)
	if err != nil {
		t.Fatal(err)
	}
	if second := n.runs(later, 1, 10*time.Second); second == first || time.Since(begin) > 2*time.Second {
		t.Errorf("the next task ran by %s after %s, want another replica within 2 s", second.name, time.Since(begin))
	}
	first.answers("/ready", `503 {"status":"not_ready","reason":"draining"}`)
	first.answers("/health", `200 {"status":"ok"}`)
	close(hold)
	for id, task := range c.finish(other, []string{running, later}, 10*time.Second) {
		if task["state"] != "completed" || task["attempt"] != 1.0 {
			t.Errorf("task %s: got %v", id, task)
		}
		c.oneEnd(other, id)
	}
	<-stopping
}

// TestAMinorityDoesNoHarm cuts off the replica that schedules, while one of its
// tasks is streaming and another has not begun; then a follower. Who is cut off
// admits nothing, still tells what it knows, and afterwards says the same as all
// the others. Nothing ends twice.
func TestAMinorityDoesNoHarm(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	hold := make(chan struct{})
	n := newNode(t, c, 1, hold)
	first := c.replicas[0]
	var streaming string
	testkit.Within(t, 20*time.Second, "the node is registered", func() (err error) { streaming, err = c.submit(first, ""); return err })
	alone := n.runs(streaming, 1, 20*time.Second)
	major := c.other(alone)
	testkit.Within(t, 10*time.Second, "the first token is recorded", func() error {
		task, err := c.task(major, streaming)
		if err == nil && task["first_token_at"] == nil {
			err = fmt.Errorf("got %v", task)
		}
		return err
	})
	waiting, err := c.submit(alone, "")
	if err != nil {
		t.Fatal(err)
	}

	c.isolate(alone, true)
	begin := time.Now()
	if id, err := c.submit(alone, ""); err == nil || !strings.Contains(err.Error(), "status 503 STATE_UNAVAILABLE") {
		t.Errorf("the minority: got task %q, %v, want 503 STATE_UNAVAILABLE", id, err)
	}
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("the minority refused after %s, want within 5 s", took)
	}
	if task, err := c.task(alone, waiting); err != nil || task["task_id"] != waiting {
		t.Errorf("the minority does not tell what it knows: %v, %v", task, err)
	}
	var later string
	testkit.Within(t, 15*time.Second, "the majority admits", func() (err error) { later, err = c.submit(major, ""); return err })
	testkit.Within(t, 20*time.Second, "the streaming task is given up", func() error {
		task, err := c.task(major, streaming)
		if err == nil && !ended(task["state"]) {
			err = fmt.Errorf("%v", task["state"])
		}
		return err
	})
	t.Logf("the majority schedules %s after the cut", time.Since(begin))
	close(hold)
	ids := []string{streaming, waiting, later}
	c.finish(major, ids, 20*time.Second)
	c.isolate(alone, false)
	testkit.Within(t, 30*time.Second, "the isolated replica admits again", func() error {
		id, err := c.submit(alone, "")
		if err == nil {
			ids = append(ids, id)
		}
		return err
	})
	c.judge(n, ids)
	for _, r := range c.replicas {
		for _, id := range ids {
			c.oneEnd(r, id)
		}
	}

	follower := c.other(n.runs(ids[len(ids)-1], 1, time.Second))
	c.isolate(follower, true)
	rest := c.other(follower)
	testkit.Within(t, 15*time.Second, "two of three admit", func() error {
		id, err := c.submit(rest, "")
		if err == nil {
			ids = append(ids, id)
		}
		return err
	})
	c.finish(rest, ids, 20*time.Second)
	c.isolate(follower, false)
	c.judge(n, ids)
}

// oneEnd reads a task's stream at a replica as a client does: when it breaks off
// before its end, it goes on after the last event. It ends once, and no event
// comes twice.
func (c *cluster) oneEnd(r *replica, id string) {
	c.t.Helper()
	var types []string
	last := ""
	ids := make(map[string]bool)
	testkit.Within(c.t, 20*time.Second, "the end of task "+id+" at "+r.name, func() error {
		status, events := c.events(r, id, last)
		for _, ev := range events {
			if ids[ev.id] && ev.kind != "gap" {
				c.t.Errorf("task %s at %s: %s with id %s comes twice", id, r.name, ev.kind, ev.id)
			}
			types, last, ids[ev.id] = append(types, ev.kind), ev.id, true
		}
		if len(types) == 0 || !slices.Contains(terminal, types[len(types)-1]) {
			return fmt.Errorf("status %d, events %v", status, types)
		}
		return nil
	})
	for _, kind := range types[:len(types)-1] {
		if slices.Contains(terminal, kind) {
			c.t.Errorf("task %s at %s goes on after its end: %v", id, r.name, types)
		}
	}
}

// terminal are the events that end a stream.
var terminal = []string{"end", "error", "canceled"}

type event struct{ id, kind, data string }

// events reads a stream until it breaks off, or for 10 s.
func (c *cluster) events(r *replica, id, after string) (status int, events []event) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.eventsOf(ctx, r, id, after)
}

func (c *cluster) eventsOf(ctx context.Context, r *replica, id, after string) (status int, events []event) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.http+"/v2/tasks/"+id+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.sign(req, "ci", "infer")
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	ev := event{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			ev.id = value
		case "event":
			ev.kind = value
		case "data":
			ev.data = value
		case "":
			if ev.kind != "" {
				events = append(events, ev)
			}
			ev = event{}
		}
	}
	return res.StatusCode, events
}

// TestNothingIsLostByPartitions cuts off a random replica again and again while
// tasks are admitted and run, for shorter and longer than an election takes.
func TestNothingIsLostByPartitions(t *testing.T) {
	if !long() {
		return
	}
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 4, nil)
	a := c.admit(6)
	a.more(50, 30*time.Second)
	for range 15 {
		victim := c.replicas[rand.IntN(3)]
		c.isolate(victim, true)
		a.more(1+rand.IntN(30), 40*time.Second)
		c.isolate(victim, false)
		a.more(30, 25*time.Second)
	}
	ids := a.end()
	t.Logf("%d tasks acknowledged; the longest time without: %s", len(ids), a.gap)
	c.judge(n, ids)
	for _, id := range ids[:20] {
		for _, r := range c.replicas {
			c.oneEnd(r, id)
		}
	}
}
