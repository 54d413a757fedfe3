package orchestrator

import (
	"fmt"
	"slices"
	"time"
)

// crashes is how many restarts make a pool that is not ready one that is crash-looping.
const crashes = 2

// obstacles are the reasons of infeasible, from the nearest to a dispatch to the
// farthest: the nearest one is reported for a waiting task.
var obstacles = []string{"no_slot", "draining", "breaker_open", "not_ready", "offline", "device_mask", "avoided", "engine", "ctx", "determinism", "workload", "protocol"}

// whyWaiting says why no pool can run a task with these needs now; "" when one can.
// It is shown in the task's record and in its stream.
func (o *Orchestrator) whyWaiting(n Needs) string {
	n, _ = o.runnable(n)
	return o.whyNot(n)
}

// whyNot is whyWaiting for a model without its fallbacks.
func (o *Orchestrator) whyNot(n Needs) string {
	n.Model = o.catalog.resolve(n.Model)
	all := n.Hint.only(o.nodes.candidates())
	if len(all) == 0 && len(n.Hint.wants()) > 0 && !n.Hint.fallback() {
		return "waiting: no node has the one pool that the task's placement names"
	}
	nearest, at := Candidate{}, len(obstacles)
	for _, c := range all {
		if !c.holds(n.Model) {
			continue
		}
		reason := infeasible(n, c)
		if reason == "" {
			return ""
		}
		if rank := slices.Index(obstacles, reason); rank >= 0 && rank < at {
			nearest, at = c, rank
		}
	}
	if at == len(obstacles) {
		return "waiting: no ready pool holds " + printable(n.Model, maxModelName)
	}
	return "waiting: " + o.obstacle(nearest, obstacles[at], printable(n.Model, maxModelName))
}

// obstacle describes why a pool does not take a task.
func (o *Orchestrator) obstacle(c Candidate, reason, model string) string {
	name := fmt.Sprintf("pool %s, which holds %s,", poolKey(c.NodeID, c.PoolID), model)
	switch reason {
	case "no_slot":
		if left := c.Rests.until.Sub(o.now()); left > 0 && c.Rests.words != "" {
			return fmt.Sprintf("%s is busy and is asked again in %s; it said: %s", name, left.Round(time.Second), c.Rests.words)
		}
		return "every slot of the pools with " + model + " is in use"
	case "draining":
		return name + " is draining"
	case "breaker_open":
		return name + " is left alone: its node has failed several times in a row"
	case "not_ready":
		return name + " " + troubles(c)
	case "offline":
		if c.Returning {
			return name + " is on a node that has not registered again since the orchestrator has started"
		}
		return name + " is on a node that is offline"
	}
	return "no pool with " + model + " fits the task's " + map[string]string{
		"device_mask": "placement: require_device_mask", "avoided": "placement: avoid_pools", "engine": "engine", "ctx": "ctx", "determinism": "determinism", "workload": "workload", "protocol": "protocol",
	}[reason]
}

// troubles says why a pool is not ready.
func troubles(c Candidate) string {
	what := "is not ready"
	if c.Restarts >= crashes {
		what = "is crash-looping"
	} else if c.State != "" {
		what += " (" + c.State + ")"
	}
	if c.LastError != "" {
		what += ": " + c.LastError
	}
	return what
}

// lookAgain is how often a reader of a waiting task is sent the reason, if it has
// changed: not at once, so that a short wait is not reported.
const lookAgain = 2 * time.Second

// reason is the event that says why the task waits; false when there is nothing new to
// say. It is made for this reader alone, and has the id of the event before it.
func (r *Reader) reason() (Event, bool) {
	r.e.mu.Lock()
	queued, needs := r.e.task.State == Queued && r.e.run == nil, r.e.waits.needs
	r.e.mu.Unlock()
	if !queued {
		return Event{}, false
	}
	why := r.o.whyWaiting(needs)
	if why == "" || why == r.told {
		return Event{}, false
	}
	r.told = why
	return newEvent(r.next-1, EventWaiting, waitingData{why}), true
}
