package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// tick is how soon a deadline, an offline node or the end of a pause is noticed
	// when no other change wakes the scheduler.
	tick = 200 * time.Millisecond
	// idleTick takes the place of tick while a single server has no task, to save
	// processor time.
	idleTick = time.Second
	// sweepEvery is how often ended tasks are considered for removal.
	sweepEvery = 10 * time.Second
)

var (
	errDeadline = errors.New("the task's deadline has passed")
	errNodeLost = errors.New("node missed its heartbeats")
	// errNotTheNode ends a dispatch for a reason that says nothing about the node.
	errNotTheNode = errors.New("ended for a reason other than the node")
)

// loop is the one goroutine that takes tasks out of the queue. What it starts ends with
// leaderCtx.
func (s *scheduler) loop(ctx, leaderCtx context.Context, spare sparedReplicas) {
	every := tick
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	swept := s.o.now()
	pass := &pass{leaderCtx: leaderCtx}
	lost := &orphans{spare: spare}
	for ticked := true; ctx.Err() == nil; {
		if ticked {
			s.o.lifecycle.once(&s.recovering, func() { s.recoverOrphans(lost) })
			s.expire()
			if now := s.o.now(); now.Sub(swept) >= sweepEvery {
				swept = now
				s.o.lifecycle.once(&s.sweeping, s.o.sweep)
			}
		}
		s.place(ctx, pass, ticked)
		if next := s.pause(); next != every { // no Reset at each wake: the tick would never come
			every = next
			ticker.Reset(every)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			ticked = true
		case <-s.woken:
			ticked = false
		}
	}
}

// pause is the time to the next tick. A replica of a cluster may have to take over tasks
// at any time.
func (s *scheduler) pause() time.Duration {
	if s.o.store.Shared() || s.active.Load() > 0 || s.o.queue.size() > 0 {
		return tick
	}
	return idleTick
}

// pass is what the scheduler keeps between two looks at the queue: which needs found
// no pool, until a change that may give them one.
type pass struct {
	leaderCtx context.Context
	blocked   map[string]bool
	version   uint64 // of the nodes
}

// place starts every task that can start now, in the queue's order. Tasks with the same
// needs as one that found no pool are skipped.
func (s *scheduler) place(ctx context.Context, p *pass, ticked bool) {
	s.placing.Lock()
	defer s.placing.Unlock()
	for ctx.Err() == nil && s.o.lifecycle.ctx.Err() == nil && s.lease.Held() {
		if version := s.o.nodes.version.Load(); version != p.version || ticked || p.blocked == nil {
			p.version, p.blocked, ticked = version, make(map[string]bool), false
		}
		w, ok := s.o.queue.next(s.o.now(), p.blocked)
		if !ok {
			return
		}
		needs, fallback := s.o.runnable(w.needs)
		needs.Home = cmp.Or(s.o.sessions.home(w.session, cmp.Or(fallback, w.needs.Model)), s.affinity.home(w.owner, needs, s.o.now()))
		d := Place(needs, s.o.nodes.candidates(), s.strategy, s.turn)
		s.o.metrics.placements.WithLabelValues(d.outcome(), fmt.Sprint(d.Pinned), fmt.Sprint(d.Fallback)).Inc()
		if d.Chosen == nil {
			p.blocked[w.key] = true
			s.o.log.Debug("no feasible pool", "task_id", w.id, "considered", d.Considered)
			continue
		}
		s.turn++
		l := s.o.nodes.acquire(*d.Chosen, needs.Model)
		if l == nil {
			continue // the node left between the two calls
		}
		a := s.assign(w, l, fallback)
		if a == nil {
			l.release(errNotTheNode) // canceled or taken meanwhile
			continue
		}
		s.affinity.ran(w.owner, needs, poolKey(l.nodeID, l.poolID), s.o.now())
		a.logPlaced = func() {
			s.o.log.Info("placed", "task_id", w.id, "correlation_id", a.e.correlation(), "node_id", l.nodeID, "pool_id", l.poolID, "strategy", s.strategy,
				"pinned", d.Pinned, "fallback", d.Fallback, "home", needs.Home, "model_used", fallback, "considered", d.Considered)
		}
		s.dispatches.Add(1)
		s.o.lifecycle.work.Go(func() {
			defer s.dispatches.Done()
			s.o.run(p.leaderCtx, a)
		})
	}
}

// assign takes a task out of the queue for a dispatch here; nil if it is not
// there any more.
func (s *scheduler) assign(w waiting, l *slot, fallback string) *attempt {
	e := s.o.tasks.get(w.id)
	if e == nil {
		s.o.queue.remove(w.id)
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.task.State != Queued || e.run != nil || !s.o.queue.take(w.id) {
		return nil
	}
	e.run = &attempt{o: s.o, e: e, w: w, l: l, fallback: fallback, session: e.task.SessionID}
	return e.run
}

// key is different for needs that can have different placements.
func (n Needs) key() string {
	h := n.Hint
	return strings.Join([]string{n.Model, n.Workload, string(n.Protocol), n.Engine, h.Mode, h.PinPoolID, strings.Join(h.PreferPools, ","),
		strings.Join(h.AvoidPools, ","), h.RequireDeviceMask, fmt.Sprint(h.fallback()), strings.Join(n.Spent, ","), n.Models.String(), fmt.Sprint(n.Context, n.Strict)}, "\x00")
}

// failed gives the change that ends a task with an error. The message is in words of ours:
// it is logged, too.
func failed(code, message, engine string) func(*Task) {
	return failedBy(code, message, message, engine)
}

// failedBy is failed with a message that has words of an engine or a node, which may repeat
// a prompt or a part of an answer. It is for the task's owner; ours, without them, is for
// the log.
func failedBy(code, ours, message, engine string) func(*Task) {
	return func(t *Task) {
		t.State, t.failure = Failed, ours
		t.Error = &TaskError{Code: code, Message: message, Engine: engine}
	}
}

func canceled(t *Task) { t.State = Canceled }
