package orchestrator

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// finishReserve is the part of a stop's time that is kept for tasks that did not end
// while it drained.
const finishReserve = time.Second

// Stop refuses new work and lets another replica schedule, at once. Running tasks
// may go on for the configured time, and their readers with them. Then it puts
// tasks without a token back into the queue, ends the others with WORKER_RESET,
// and ends readers. It returns early with the context's error; tasks that were not
// finished are recovered at the next start, or by the next leader.
func (o *Orchestrator) Stop(ctx context.Context) error {
	end, first := o.lifecycle.beginStop(ctx)
	if !first {
		return nil
	}
	defer close(o.lifecycle.stopped)
	o.scheduler.resign()
	awaitRelease(&o.scheduler.placing) // what was being placed counts as running, and nothing comes after it
	if left := time.Until(end); o.lifecycle.drain > 0 && left > 0 {
		o.log.Info("draining", "running", o.scheduler.active.Load(), "for_ms", left.Milliseconds())
		drained, cancel := context.WithTimeout(ctx, left)
		_ = wait(drained, &o.scheduler.dispatches) // what still runs is finished below
		o.lifecycle.awaitAnswers(drained)
		cancel()
	}
	o.lifecycle.cancel(ErrStopping)
	awaitRelease(&o.catalog.mu) // no verification of a model starts any more
	err := wait(ctx, &o.scheduler.dispatches)
	o.lifecycle.stopWatches()
	for _, group := range []*sync.WaitGroup{&o.lifecycle.watches, &o.lifecycle.work} {
		if err == nil {
			err = wait(ctx, group)
		}
	}
	if err != nil {
		return fmt.Errorf("stopping orchestrator: %w", err)
	}
	return nil
}

// awaitRelease waits for the present holder of the lock. Later holders see that the
// replica stops, and add no work.
func awaitRelease(held sync.Locker) {
	held.Lock()
	defer held.Unlock()
}

// wait waits for the group, but not longer than ctx allows.
func wait(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
