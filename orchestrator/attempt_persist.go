package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// watch persists the state of the dispatch, and ends it when its node misses its
// heartbeats. The record has to be true after a crash. Soon after the start it says
// that tokens may have been shown, so that the first token need not wait for the disk.
// If none has come within showWindow, a second write says that none was shown: a task
// with a long prompt then survives a crash, and its first token waits for a write.
func (a *attempt) watch(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	soon := time.NewTimer(writeRunning)
	defer soon.Stop()
	for mayShow := true; ; {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-soon.C:
			err = a.write(ctx, mayShow)
			if mayShow {
				mayShow = false
				soon.Reset(showWindow)
			}
		case <-ticker.C:
			if a.l.nodeLost() {
				stop(errNodeLost)
				return
			}
		}
		if errors.Is(err, store.ErrConflict) || errors.Is(err, errEnded) || errors.Is(err, errTaken) {
			stop(errTaken)
		} else if err != nil && ctx.Err() == nil {
			a.o.log.Warn("could not persist running state", "task_id", a.e.id, "error", err)
		}
	}
}

// write persists that the task runs and, with mayShow, that tokens may have been
// shown; later, that none has been. It does nothing when the record is up to date.
func (a *attempt) write(ctx context.Context, mayShow bool) error {
	a.e.changing.Lock()
	defer a.e.changing.Unlock()
	if ctx.Err() != nil || a.written && (mayShow || !a.allowed()) {
		return nil
	}
	if !mayShow {
		a.retract()
	}
	ctx, cancel := a.o.lifecycle.persistContext() // a write that is cut short leaves its outcome unknown
	defer cancel()
	_, err := a.o.changeIf(ctx, a.e, a.owns, func(t *Task) { t.mayShow = mayShow })
	if errors.Is(err, store.ErrConflict) && a.isOwnWrite() {
		err = nil
	}
	a.written = a.written || err == nil
	a.uncertain = a.uncertain || errors.Is(err, store.ErrUnavailable) // the write may have succeeded all the same
	return err
}

// allowed reports whether the record says that tokens may have been shown.
func (a *attempt) allowed() bool {
	a.e.awaitFirstWrite()
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	return a.e.mayShow && !a.e.gone
}

// retract makes the first token wait for its own write: once a write was sent that says
// that no token was shown, it may succeed even if its acknowledgement is lost.
func (a *attempt) retract() {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	a.e.mayShow = false
}

// isOwnWrite reports, after a conflict, whether the conflicting record is this
// dispatch's own: only the acknowledgement of an earlier write was lost.
func (a *attempt) isOwnWrite() bool {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	return a.owns(a.e.task)
}

// owns reports whether a record says that this dispatch runs the task.
func (a *attempt) owns(t Task) bool {
	return t.State == Running && t.runner == a.o.replica && t.Attempt == a.before.Attempt+1
}
