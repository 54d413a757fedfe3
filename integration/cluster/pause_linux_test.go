package cluster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// leaseHold is how long after its last renewal a scheduler may still show tokens.
const leaseHold = 4 * time.Second

// noticed is how long after a pause a task may end that was lost by it.
const noticed = 20 * time.Second

// pause is a time in which a replica that scheduled did not run.
type pause struct {
	who      *replica
	begin    time.Time // when it was told to
	from, to time.Time
	unaware  bool // of it
}

// TestAPausedSchedulerDoesNoHarm stops the process that schedules, as a machine
// that swaps does, under load and with a reader for every task, and lets it go on
// when another one schedules. What it missed it must neither contradict nor repeat.
func TestAPausedSchedulerDoesNoHarm(t *testing.T) {
	t.Parallel()
	rounds := 1
	if long() {
		rounds = 12
	}
	paused(t, newCluster(t, 3), rounds, nil)
}

// TestASchedulerUnawareOfItsPauseDoesNoHarm is the same for a machine whose
// monotonic clock stood still meanwhile, as a hypervisor may have it: it believes
// that it has the lease until it tries to renew it. Here the lease is good for a
// minute in its eyes, and it takes its time to renew it.
func TestASchedulerUnawareOfItsPauseDoesNoHarm(t *testing.T) {
	if !long() {
		return
	}
	c := newCluster(t, 3)
	c.replicas[0].path = credulous(t)
	paused(t, c, 8, c.replicas[0])
}

// credulous is the program of such a machine.
func credulous(t *testing.T) string {
	t.Helper()
	texts := make(map[string]string)
	for name, change := range map[string][2]string{
		"lease.go":      {"leaseHold     = 4 * time.Second", "leaseHold     = time.Minute"},
		"lease_hold.go": {"case <-tick.C:\n", "case <-tick.C:\n\t\t\t<-time.After(800 * time.Millisecond)\n"},
	} {
		path, err := filepath.Abs(filepath.Join("../../orchestrator/store", name))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if texts[path] = strings.Replace(string(text), change[0], change[1], 1); texts[path] == string(text) {
			t.Fatalf("%s: no %q any more", name, change[0])
		}
	}
	program, err := buildWith("orchestratord-credulous", overlay(t, texts))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// paused pauses the replica that schedules that many times; only the unaware replica,
// if there is one.
func paused(t *testing.T, c *cluster, rounds int, unaware *replica) {
	t.Helper()
	c.start()
	n := (&node{c: c, slots: 32, pace: 250 * time.Millisecond}).join(t)
	clients := &readings{c: c, seen: make(map[string][]reading)}
	a := c.under(load{workers: 3, every: 200 * time.Millisecond, sticky: true, took: clients.follow})
	a.more(10, 30*time.Second)
	var pauses []pause
	for round := range rounds {
		d := time.Duration(0)
		if round%2 == 1 {
			d = time.Second + rand.N(15*time.Second)
		}
		for unaware != nil && n.scheduler() != unaware {
			pauses = append(pauses, c.restart(n.scheduler()))
			a.more(20, 30*time.Second)
		}
		pauses = append(pauses, c.pause(n, d, unaware != nil))
		a.more(30, 30*time.Second)
	}
	ids := a.end()
	clients.all.Wait()
	t.Logf("%d tasks acknowledged; the longest time without: %s", len(ids), a.gap)
	c.judge(n, ids)
	clients.judge(n, pauses, c.finish(c.replicas[0], ids, 20*time.Second))
	for _, r := range c.replicas {
		id, err := c.submit(r, "")
		if err != nil {
			t.Errorf("%s does not admit again: %v", r.name, err)
			continue
		}
		c.oneEnd(r, id)
	}
}

// pause stops the replica that schedules, until the others have placed tasks for
// a while, or for that long.
func (c *cluster) pause(n *node, d time.Duration, unaware bool) pause {
	c.t.Helper()
	p := pause{who: n.scheduler(), begin: time.Now(), unaware: unaware}
	process, err := os.FindProcess(p.who.pid())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		c.t.Fatal(err)
	}
	testkit.Within(c.t, 5*time.Second, p.who.name+" is stopped", func() error { return halted(process.Pid) })
	p.from = time.Now()
	if d > 0 {
		<-time.After(d)
	} else {
		testkit.Within(c.t, 20*time.Second, "another replica schedules", func() error { return n.without(p, 20) })
	}
	p.to = time.Now()
	if err := process.Signal(syscall.SIGCONT); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// restart has another replica schedule.
func (c *cluster) restart(r *replica) pause {
	c.t.Helper()
	p := pause{who: r, begin: time.Now(), unaware: true}
	r.stop()
	p.from = time.Now()
	r.start()
	r.serves()
	p.to = time.Now()
	return p
}

// scheduler is the replica that has placed the newest task.
func (n *node) scheduler() *replica {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range slices.Backward(n.asked) {
		if a.by != nil { // it has not hung up at once
			return a.by
		}
	}
	n.c.t.Fatal("no replica has placed a task")
	return nil
}

// without reports whether that many tasks were placed since a pause began.
func (n *node) without(p pause, want int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	have := 0
	for _, a := range n.asked {
		if a.by != nil && a.by != p.who && a.at.After(p.from) {
			have++
		}
	}
	if have < want {
		return fmt.Errorf("%d of %d tasks were placed", have, want)
	}
	return nil
}

// halted reports whether all threads of the process are stopped.
func halted(pid int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			return err
		}
		if _, rest, _ := bytes.Cut(stat, []byte(") ")); !bytes.HasPrefix(rest, []byte("T")) {
			return fmt.Errorf("a thread is in state %.1s", rest)
		}
	}
	return nil
}

// judge compares what the readers of each task saw with each other, with how it
// ended, and with when the node said what to whom.
func (rs *readings) judge(n *node, pauses []pause, tasks map[string]map[string]any) {
	t := rs.c.t
	n.mu.Lock()
	defer n.mu.Unlock()
	runs := make(map[string][]asking)
	for _, a := range n.asked {
		runs[a.task] = append(runs[a.task], a)
	}
	resets, again := 0, 0
	for id, task := range tasks {
		if len(runs[id]) > 1 {
			again++
		}
		if task["state"] == "failed" {
			resets++
			if !slices.ContainsFunc(pauses, func(p pause) bool { return p.explains(task, runs[id]) }) && !gaveUp(task, runs[id]) {
				t.Errorf("task %s failed, but its runner was neither stopped nor without the lease: %v", id, task)
			}
		}
		for _, r := range rs.seen[id] {
			if err := r.judge(runs[id], pauses, task); err != nil {
				t.Errorf("task %s (%v), read from %s on: %v\n%v", id, task["state"], r.began.name, err, r.events)
			}
		}
	}
	for _, p := range pauses {
		if late := p.late(n.asked); len(late) > 0 {
			t.Errorf("%s places tasks after its pause, while another replica schedules: %v", p.who.name, late)
		}
	}
	t.Logf("%d pauses; %d tasks were dispatched more than once, %d lost their runner after the first token", len(pauses), again, resets)
}

// explains reports whether a task's runner can have been lost by this pause. It need
// not be the last one: the next runner may not have sent a token in time. Or the
// dispatch did not reach the node.
func (p pause) explains(task map[string]any, runs []asking) bool {
	ended, err := time.Parse(time.RFC3339Nano, fmt.Sprint(task["ended_at"]))
	if err != nil || ended.Before(p.begin) || ended.After(p.to.Add(noticed)) {
		return false
	}
	return len(runs) == 0 || slices.ContainsFunc(runs, func(a asking) bool { return a.by == nil || a.by == p.who })
}

// gaveUp reports whether the task's last runner had lost the lease itself: a replica
// that continues after a pause causes another election, which may take longer than
// a lease holds.
func gaveUp(task map[string]any, runs []asking) bool {
	ended, err := time.Parse(time.RFC3339Nano, fmt.Sprint(task["ended_at"]))
	if err != nil || len(runs) == 0 || runs[len(runs)-1].by == nil {
		return false
	}
	last := runs[len(runs)-1]
	for line := range strings.Lines(last.by.out.String()) {
		var said struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "leadership lost" &&
			said.Time.After(last.at) && said.Time.Before(ended.Add(noticed)) {
			return true
		}
	}
	return false
}

// late are the tasks that a replica placed after its pause although another one
// had placed some meanwhile. What was on its way when it was stopped is not meant.
func (p pause) late(asked []asking) (ids []string) {
	const onItsWay = time.Second // of leaseHold, in which a replica with the load of this test places dozens
	taken := slices.ContainsFunc(asked, func(a asking) bool {
		return a.by != nil && a.by != p.who && a.at.After(p.from) && a.at.Before(p.to)
	})
	for _, a := range asked {
		if since := a.at.Sub(p.to); taken && !p.unaware && a.by == p.who && since > onItsWay && since < leaseHold {
			ids = append(ids, fmt.Sprintf("%s after %s", a.task, since))
		}
	}
	return ids
}

func (r reading) judge(runs []asking, pauses []pause, task map[string]any) error {
	seen, end, err := r.check()
	if err != nil {
		return err
	}
	want := map[string]any{"end": "completed", "error": "failed", "canceled": "canceled"}
	if want[end.kind] != task["state"] || end.kind == "error" && !strings.Contains(end.data, "WORKER_RESET") {
		return fmt.Errorf("it ends with %s %s", end.kind, end.data)
	}
	for _, s := range seen {
		if s.run != seen[0].run {
			return fmt.Errorf("tokens of dispatch %d and of %d", seen[0].run, s.run)
		}
		a := runs[s.run-1]
		for _, p := range pauses {
			if at := a.sent[s.index]; a.by == p.who && at.After(p.from) && at.Before(p.to) && p.to.Sub(p.from) > leaseHold && !p.unaware {
				return fmt.Errorf("%s shows a token that came while it was stopped", p.who.name)
			}
		}
	}
	gap := slices.ContainsFunc(r.events, func(ev event) bool { return ev.kind == "gap" })
	if end.kind == "end" && len(seen) != tokens && !gap {
		return fmt.Errorf("it is complete with %d tokens", len(seen))
	}
	return nil
}
