package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
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

// schedule is the one goroutine that takes tasks out of the queue. What it
// starts runs in reign.
func (o *Orchestrator) schedule(ctx, reign context.Context, spare spared) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	swept := o.now()
	pass := &pass{reign: reign}
	lost := &losses{spare: spare}
	for ticked := true; ctx.Err() == nil; {
		if ticked {
			o.once(&o.reclaiming, func() { o.reclaim(lost) })
			o.expire()
			if now := o.now(); now.Sub(swept) >= sweepEvery {
				swept = now
				o.once(&o.sweeping, o.sweep)
			}
		}
		o.place(ctx, pass, ticked)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			ticked = true
		case <-o.wake:
			ticked = false
		}
	}
}

// pass is what the scheduler remembers between two looks at the queue: which
// needs found no place, as long as nothing has changed for the better.
type pass struct {
	reign   context.Context
	blocked map[string]bool
	version uint64 // of the nodes
}

// place starts every task that can start now, in the queue's order. Tasks with
// the same needs as one that found no place are passed over without a look.
func (o *Orchestrator) place(ctx context.Context, p *pass, ticked bool) {
	o.placing.Lock()
	defer o.placing.Unlock()
	for ctx.Err() == nil && o.ctx.Err() == nil && o.lease.Held() {
		if version := o.nodes.version.Load(); version != p.version || ticked || p.blocked == nil {
			p.version, p.blocked, ticked = version, make(map[string]bool), false
		}
		w, ok := o.queue.next(o.now(), p.blocked)
		if !ok {
			return
		}
		w.needs.Home = o.sessions.home(w.session, w.needs.Model)
		w.needs.Model = o.catalog.resolve(w.needs.Model)
		d := Place(w.needs, o.nodes.candidates(), o.strategy, o.turn)
		o.metrics.placements.WithLabelValues(d.outcome(), fmt.Sprint(d.Pinned), fmt.Sprint(d.Fallback)).Inc()
		if d.Chosen == nil {
			p.blocked[w.key] = true
			o.log.Debug("no place", "task_id", w.id, "considered", d.Considered)
			continue
		}
		o.turn++
		l := o.nodes.acquire(*d.Chosen, w.needs.Model)
		if l == nil {
			continue // the node left between the two calls
		}
		a := o.assign(w, l)
		if a == nil {
			l.release(errNotTheNode) // canceled or taken meanwhile
			continue
		}
		a.tell = func() {
			o.log.Info("placed", "task_id", w.id, "correlation_id", a.e.correlation(), "node_id", l.nodeID, "pool_id", l.poolID, "strategy", o.strategy,
				"pinned", d.Pinned, "fallback", d.Fallback, "home", w.needs.Home, "considered", d.Considered)
		}
		o.dispatches.Add(1)
		o.work.Go(func() {
			defer o.dispatches.Done()
			o.run(p.reign, a)
		})
	}
}

// assign takes a task out of the queue for a dispatch here; nil if it is not
// there any more.
func (o *Orchestrator) assign(w waiting, l *lease) *attempt {
	e := o.known(w.id)
	if e == nil {
		o.queue.remove(w.id)
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.task.State != Queued || e.run != nil || !o.queue.take(w.id) {
		return nil
	}
	e.run = &attempt{o: o, e: e, w: w, l: l, session: e.task.SessionID}
	return e.run
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
	e := o.known(id)
	w, ok := o.queue.remove(id)
	if e == nil || !ok {
		return
	}
	message := "the deadline passed before a pool was free"
	if w.failures > 0 {
		message = fmt.Sprintf("the deadline passed; until then %d dispatches failed%s", w.failures, w.broke)
	}
	if why := o.whyWaiting(w.needs); why != "" {
		message += "; " + why
	}
	change := failed("DEADLINE_EXCEEDED", message, "")
	if w.said == "" && w.failures == 0 { // a pool may rest for what it told another task
		w.said, w.saidBy = o.restWords(w.needs)
	}
	if w.said != "" {
		change = failed(engineBusyCode, "the deadline passed while every pool for it was busy; the latest said: "+w.said, w.saidBy)
	}
	err := o.end(e, change)
	if err == nil || errors.Is(err, errEnded) {
		return
	}
	if !errors.Is(err, store.ErrConflict) {
		o.log.Error("ending expired task", "task_id", id, "error", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.task.State == Queued && e.run == nil {
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

func canceled(t *Task) { t.State = Canceled }
