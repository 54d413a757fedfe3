package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// tick is how soon a deadline, a lost node or a pause between attempts is
	// noticed when nothing else happens.
	tick = 200 * time.Millisecond
	// sweepEvery is how often ended tasks are considered for removal.
	sweepEvery = 10 * time.Second
)

var (
	errDeadline = errors.New("the task's deadline has passed")
	errNodeLost = errors.New("the node has gone silent")
	// errNotTheNode ends a dispatch for a reason that says nothing about the node.
	errNotTheNode = errors.New("ended for another reason than the node")
)

// schedule is the one goroutine that takes tasks out of the queue.
func (o *Orchestrator) schedule() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	swept := o.now()
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-ticker.C:
			o.expire()
			if now := o.now(); now.Sub(swept) >= sweepEvery {
				swept = now
				o.work.Go(o.sweep)
			}
		case <-o.wake:
		}
		o.place()
	}
}

// place starts every task that can start now, in the queue's order. Tasks with
// the same needs as one that found no place are passed over without a look.
func (o *Orchestrator) place() {
	blocked := make(map[string]bool)
	for o.ctx.Err() == nil {
		now := o.now()
		w, ok := o.queue.next(func(w waiting) bool {
			return now.After(w.notBefore) && now.Before(w.deadline) && !blocked[w.needs.key()]
		})
		if !ok {
			return
		}
		w.needs.Home = o.sessions.home(w.session, w.needs.Model)
		d := Place(w.needs, o.nodes.candidates(), o.strategy, o.turn)
		o.metrics.placements.WithLabelValues(d.outcome(), fmt.Sprint(d.Pinned), fmt.Sprint(d.Fallback)).Inc()
		if d.Chosen == nil {
			blocked[w.needs.key()] = true
			o.log.Debug("no place", "task_id", w.id, "considered", d.Considered)
			continue
		}
		o.turn++
		l := o.nodes.acquire(*d.Chosen)
		if l == nil {
			continue // the node left between the two calls
		}
		if !o.queue.take(w.id) {
			l.release(errNotTheNode) // canceled meanwhile
			continue
		}
		o.log.Info("placed", "task_id", w.id, "node_id", l.nodeID, "pool_id", l.poolID, "strategy", o.strategy,
			"pinned", d.Pinned, "fallback", d.Fallback, "home", w.needs.Home, "considered", d.Considered)
		o.work.Go(func() { o.run(w, l) })
	}
}

// key tells needs apart that can have different answers.
func (n Needs) key() string {
	h := n.Hint
	return strings.Join([]string{n.Model, n.Workload, n.Engine, h.Mode, h.PinPoolID, strings.Join(h.PreferPools, ","),
		strings.Join(h.AvoidPools, ","), h.RequireDeviceMask, fmt.Sprint(h.fallback())}, "\x00")
}

// expire ends waiting tasks whose deadline has passed: they never reach an
// engine. Running ones have the deadline in their context.
func (o *Orchestrator) expire() {
	for _, id := range o.queue.expired(o.now()) {
		o.work.Go(func() { o.expireOne(id) })
	}
}

func (o *Orchestrator) expireOne(id string) {
	e := o.find(Who{Admin: true}, id)
	w, ok := o.queue.remove(id)
	if e == nil || !ok {
		return
	}
	if err := o.end(e, failed("DEADLINE_EXCEEDED", "the deadline passed before a pool was free", "")); err != nil && !errors.Is(err, errEnded) {
		o.log.Error("ending expired task", "task_id", id, "error", err)
		o.queue.restore(w, true) // tried again at the next tick
	}
}

// failed gives the change that ends a task with an error.
func failed(code, message, engine string) func(*Task) {
	return func(t *Task) {
		t.State = Failed
		t.Error = &TaskError{Code: code, Message: message, Engine: engine}
	}
}

// watch ends the dispatch when its node goes silent.
func (o *Orchestrator) watch(ctx context.Context, l *lease, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if l.lost() {
				stop(errNodeLost)
				return
			}
		}
	}
}
