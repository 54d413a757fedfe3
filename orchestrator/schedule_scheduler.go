package orchestrator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// scheduler places tasks and dispatches them, on the one replica that holds the
// leadership. The others have it as well, and it does nothing there.
type scheduler struct {
	o        *Orchestrator
	strategy Strategy
	silence  time.Duration // maxSilence
	pace     pace
	woken    chan struct{} // capacity 1: something changed

	lease   *store.Lease // of the leadership
	resign  context.CancelFunc
	leading atomic.Bool

	recovering, sweeping atomic.Bool

	placing    mutex[lockPlacing] // held while tasks are placed
	turn       uint64             // placements so far; guarded by placing
	affinity   *affinity          // guarded by placing
	dispatches sync.WaitGroup
	active     atomic.Int64 // dispatches under way
}

func newScheduler(o *Orchestrator, strategy Strategy) *scheduler {
	return &scheduler{o: o, strategy: strategy, silence: maxSilence, woken: make(chan struct{}, 1), affinity: newAffinity()}
}

// start competes for the leadership until the replica stops.
func (s *scheduler) start() {
	s.lease = s.o.store.Lease(leadershipName, s.handoverNote)
	if !s.o.store.Shared() {
		s.recoverOrphans(&orphans{}) // no other replica runs anything
	}
	candidacy, resign := context.WithCancel(s.o.lifecycle.ctx)
	s.resign = resign
	s.o.lifecycle.work.Go(func() { _ = s.lease.Run(candidacy, s.lead) }) // ends with candidacy, never otherwise
}

// wake has the scheduler look at the queue; one call covers any number of changes.
func (s *scheduler) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}
