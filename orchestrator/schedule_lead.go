package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

const (
	// leadershipName is the lease whose holder is the scheduler.
	leadershipName = "scheduler"
	// drainMargin is how much longer than its own deadline the tasks of a replica
	// that drains are left alone: it finishes what is left, see persistTimeout.
	drainMargin = persistTimeout
)

// errLeadershipLost ends the dispatches of a replica that is no longer the leader. The
// next leader decides what becomes of their tasks.
var errLeadershipLost = errors.New("leadership was lost")

// handover is the note of a stopping replica to the next leader.
type handover struct {
	Runner  string `json:"runner"`
	DrainMS int64  `json:"drain_ms"` // how long its tasks are its own
}

// sparedReplicas are the replicas whose tasks are left alone, and until when.
type sparedReplicas map[string]time.Time

// handoverNote gives the note for the next leader.
func (s *scheduler) handoverNote() []byte {
	left := s.o.lifecycle.drainLeft()
	if left <= 0 {
		return nil
	}
	note, err := json.Marshal(handover{s.o.replica, (left + drainMargin).Milliseconds()})
	if err != nil {
		return nil
	}
	return note
}

// lead runs while this replica is the leader, until ctx ends: it places, dispatches,
// expires and deletes tasks, and verifies models. A single server leads from its start
// to its stop.
func (s *scheduler) lead(ctx context.Context, before []byte) {
	leaderCtx, cancelLeadership := context.WithCancelCause(s.o.lifecycle.ctx)
	s.leading.Store(true)
	defer s.leading.Store(false)
	spare := sparedReplicas{}
	var note handover
	if json.Unmarshal(before, &note) == nil && note.Runner != s.o.replica && note.DrainMS > 0 {
		spare[note.Runner] = s.o.now().Add(time.Duration(note.DrainMS) * time.Millisecond)
	}
	s.o.log.Info("leadership acquired", "replica", s.o.replica, "spared", note.Runner)
	var gathering sync.WaitGroup
	defer gathering.Wait()
	gathering.Go(func() { s.o.store.GatherLeaders(ctx) })
	s.o.nodes.resetUsage()
	s.o.catalog.lead(leaderCtx)
	s.loop(ctx, leaderCtx, spare)
	if s.o.lifecycle.stopping.Load() { // its tasks may run to their end, see Stop
		context.AfterFunc(s.o.lifecycle.ctx, func() { cancelLeadership(nil) })
		return
	}
	cancelLeadership(errLeadershipLost)
	s.dispatches.Wait()
	s.o.log.Warn("leadership lost", "replica", s.o.replica)
}

// mayShow reports whether this replica may still show tokens: no other one recovers
// its tasks yet.
func (s *scheduler) mayShow() bool { return s.o.lifecycle.stopping.Load() || s.lease.Held() }

// showPause is how often a dispatch checks whether it may show tokens.
const showPause = 20 * time.Millisecond

// awaitShow waits until this replica may show tokens: a leadership that cannot be
// renewed may still come back. If it is lost, ctx ends.
func (s *scheduler) awaitShow(ctx context.Context) error {
	if s.mayShow() {
		return nil
	}
	again := time.NewTicker(showPause)
	defer again.Stop()
	for !s.mayShow() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
