package orchestrator

import (
	"math"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// maxTaskBytes bounds the records of all tasks. The bucket holds half as
	// much again, so that a task that was taken can always be written to.
	maxTaskBytes = 1 << 30
	// retirePause is how long ended tasks wait for company before the log is
	// asked whether it has all of their events.
	retirePause = 20 * time.Millisecond
)

func (o *Orchestrator) forget(id string) error {
	if err := o.store.Bucket(store.Tasks).Delete(o.ctx, id); err != nil {
		return err
	}
	o.drop(id, math.MaxUint64-1)
	return o.store.Events().Forget(o.ctx, id)
}

// retire gives up the tails of tasks that have ended here, once the log has all
// of them. Readers that are on a tail keep it alive as long as they need.
func (o *Orchestrator) retire(ended ...*entry) {
	o.retiring.Lock()
	defer o.retiring.Unlock()
	o.retired = append(o.retired, ended...)
	select {
	case o.retiree <- struct{}{}:
	default:
	}
}

// retireAll asks the log once for all tasks that have ended in a while.
func (o *Orchestrator) retireAll() {
	pause := time.NewTicker(retirePause)
	defer pause.Stop()
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-o.retiree:
		}
		o.retiring.Lock()
		all := o.retired
		o.retired = nil
		o.retiring.Unlock()
		wait := pause.C
		if err := o.store.Events().Barrier(o.ctx); err != nil {
			o.log.Warn("event log is behind", "tasks", len(all), "error", err)
			wait = time.After(storePause)
			o.retire(all...)
			all = nil
		}
		for _, e := range all {
			e.mu.Lock()
			e.tail = nil
			e.mu.Unlock()
		}
		select {
		case <-o.ctx.Done():
			return
		case <-wait:
		}
	}
}
