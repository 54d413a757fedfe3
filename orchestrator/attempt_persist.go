package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// watch tells the disk how the dispatch goes, and ends it when its node goes
// silent. What is on disk has to be true after a crash: soon after its start a
// dispatch may show tokens, so that the first one need not wait for the disk. If
// none has come by then it may no longer, so that a task whose prompt takes
// long is not lost with this process: the first token is then written itself.
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
			if a.l.lost() {
				stop(errNodeLost)
				return
			}
		}
		if errors.Is(err, store.ErrConflict) || errors.Is(err, errEnded) || errors.Is(err, errTaken) {
			stop(errTaken)
		} else if err != nil && ctx.Err() == nil {
			a.o.log.Warn("that a task runs is not written", "task_id", a.e.id, "error", err)
		}
	}
}

// write puts on disk that the task runs and, if so, that it may show tokens; or,
// after that, what has come of it. It does nothing when there is nothing to say.
func (a *attempt) write(ctx context.Context, mayShow bool) error {
	a.e.changing.Lock()
	defer a.e.changing.Unlock()
	if ctx.Err() != nil || a.written && (mayShow || !a.allowed()) {
		return nil
	}
	if !mayShow {
		a.retract()
	}
	ctx, cancel := a.o.lifecycle.persistContext() // a write that is cut leaves it open what is on disk
	defer cancel()
	_, err := a.o.changeIf(ctx, a.e, a.owns, func(t *Task) { t.mayShow = mayShow })
	if errors.Is(err, store.ErrConflict) && a.ours() {
		err = nil
	}
	a.written = a.written || err == nil
	a.unsure = a.unsure || errors.Is(err, store.ErrUnavailable) // it may have been done all the same
	return err
}

// allowed reports whether it is on disk that tokens may be shown.
func (a *attempt) allowed() bool {
	a.e.written()
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	return a.e.allowed && !a.e.gone
}

// retract has the first token written before it is shown: once the disk is told that
// this dispatch shows nothing, it may say so even if nobody hears of it.
func (a *attempt) retract() {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	a.e.allowed = false
}

// ours reports, after a conflict, whether the record that was in the way is this
// dispatch's own: only the answer to an earlier write was lost.
func (a *attempt) ours() bool {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	return a.owns(a.e.task)
}

// owns reports whether a record says that this dispatch runs the task.
func (a *attempt) owns(t Task) bool {
	return t.State == Running && t.runner == a.o.replica && t.Attempt == a.before.Attempt+1
}

// begun is asked before each output. Before anybody sees the first one it is on
// disk that this dispatch shows tokens: after a crash the task must not run a
// second time and contradict them. When two replicas run the task, each believing
// that the other is lost, one of them gets that written.
func (a *attempt) begun(ctx context.Context) error {
	if err := a.o.scheduler.awaitShow(ctx); err != nil || a.first {
		return err
	}
	a.e.changing.Lock()
	defer a.e.changing.Unlock()
	task, err := a.noteOrWrite(ctx, a.o.now().UTC())
	if err != nil {
		return err
	}
	a.first = true
	if err := a.o.scheduler.awaitShow(ctx); err != nil { // it took long
		return err
	}
	if task.Workload == Completion {
		a.o.metrics.firstToken.Observe(float64(task.FirstTokenAt.Sub(task.CreatedAt).Milliseconds()))
	}
	return nil
}

// noteOrWrite notes the first token where that is enough, or else writes it: the
// dispatch waits for a store that is away, as its end would.
func (a *attempt) noteOrWrite(ctx context.Context, now time.Time) (Task, error) {
	if a.allowed() {
		return a.noteFirst(now)
	}
	again := time.NewTicker(storePause)
	defer again.Stop()
	for end := time.Now().Add(settleTimeout); ; {
		task, err := a.writeFirst(now)
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(end) {
			return task, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return Task{}, err
		}
	}
}

// noteFirst notes the first token in memory; the next write takes it along.
func (a *attempt) noteFirst(now time.Time) (Task, error) {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	t := &a.e.task
	if a.e.run != a || !a.owns(*t) {
		return Task{}, errTaken
	}
	t.FirstTokenAt = &now
	return *t, nil
}

// writeFirst puts the first token on disk.
func (a *attempt) writeFirst(now time.Time) (Task, error) {
	ctx, cancel := a.o.lifecycle.persistContext()
	defer cancel()
	first := func(t *Task) { t.FirstTokenAt = &now }
	task, err := a.o.changeIf(ctx, a.e, a.owns, first)
	if errors.Is(err, store.ErrConflict) && a.ours() {
		task, err = a.o.changeIf(ctx, a.e, a.owns, first)
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, errEnded) || errors.Is(err, errTaken) {
		return Task{}, errTaken
	}
	if err != nil {
		return Task{}, fmt.Errorf("%w: %w", errNotTheNode, err)
	}
	a.written = true
	return task, nil
}
