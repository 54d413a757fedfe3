package orchestrator

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// retry queues the task again, at the front of its class, and prefers another pool.
func (a *attempt) retry(err error, end nodeapi.Event, cause error) {
	if err == nil {
		err = fmt.Errorf("%w %s", errEngine, code(end.Code, "ENGINE_ERROR"))
	}
	stopping := errors.Is(cause, ErrStopping)
	ours := errors.Is(err, errNotBegun) || errors.Is(err, errNotTheNode) || errors.Is(err, errBodyLost)
	if !busy(err) && !stopping && !ours {
		a.w.failures++
		a.w.needs.Failed = append(a.w.needs.Failed[:len(a.w.needs.Failed):len(a.w.needs.Failed)], poolKey(a.l.nodeID, a.l.poolID))
	}
	a.noteReason(err, end, stopping)
	if a.w.failuresOfModel() >= a.mostFailures() && !a.fallBack() {
		a.finish(nodeapi.Event{Type: nodeapi.EventError, Code: workerUnavailable, Engine: a.l.engine,
			Message: fmt.Sprintf("%d dispatches failed before the first token%s", a.w.failures, latest(err, end))}, nil, nil)
		return
	}
	if a.w.patience.IsZero() && a.w.failures > 0 && a.hasClient() {
		a.w.patience = a.o.now().Add(otherPoolWithin)
	}
	// A busy pool has its own pause, see node.rest; this is for the task.
	a.w.notBefore = a.o.now().Add(min(retryPause<<a.w.failuresOfModel(), maxRetryPause))
	if !stopping {
		a.o.log.Warn("dispatch failed, task is queued again", "task_id", a.e.id, "node_id", a.l.nodeID, "pool_id", a.l.poolID, "failures", a.w.failures, "error", forLog(err))
	}
	a.e.changing.Lock()
	defer a.e.changing.Unlock()
	if !a.written && !a.uncertain { // the record still says that it is queued
		a.requeue()
		return
	}
	a.e.mu.Lock()
	a.e.run, a.e.stop, a.e.waits = nil, nil, a.w
	a.e.mu.Unlock()
	changeErr := a.putBack()
	if !a.written && errors.Is(changeErr, store.ErrUnavailable) { // only memory says that it runs: no replica would recover it
		a.requeue()
		return
	}
	taken := errors.Is(changeErr, errTaken)
	if taken {
		a.e.mu.Lock()
		if a.e.task.State == Queued && a.e.run == nil && !a.e.gone { // and not being dispatched again
			a.o.queue.restore(a.e.waits, true)
		}
		a.e.mu.Unlock()
	} else if changeErr != nil && !errors.Is(changeErr, errEnded) { // it counts as an orphan, see recoverOrphans
		a.o.log.Warn("could not persist queued state", "task_id", a.e.id, "error", changeErr)
	}
	a.o.tails.stopWriting(a.e, taken)
}

// lostContent reports whether no retry brings the request back: its key was destroyed, or a
// piece of its body is gone. Any other error of the store may pass.
func lostContent(err error) bool {
	return errors.Is(err, store.ErrNotFound) && (errors.Is(err, errBodyLost) || errors.Is(err, errNotBegun))
}

// mostFailures is how often a model may fail the task before its first token. Of a native call
// whose client waits, one other pool is asked: the client has patience of its own.
func (a *attempt) mostFailures() int {
	if a.hasClient() {
		return 2
	}
	return maxFailures
}

// hasClient reports whether a client waits for the answer and has no other way to it. An
// answer that is kept is read later, so its task has until its deadline, as every task of /v2.
func (a *attempt) hasClient() bool {
	return a.request != nil && a.request.Workload == Native && !a.request.content.Keep
}

// noteReason keeps what is reported at the deadline: what the latest pool said, and
// whether it was busy or had failed.
func (a *attempt) noteReason(err error, end nodeapi.Event, stopping bool) {
	switch {
	case stopping:
	case !busy(err):
		a.w.broke, a.w.said, a.w.saidBy = latest(err, end), "", ""
	default:
		a.w.broke = ""
		if said := words(err); said != "" {
			a.w.said, a.w.saidBy = said, a.l.engine
		}
	}
}

// latest is what the caller may read about the latest failed dispatch: the words of the
// engine or of the pool manager. Other errors may name addresses of nodes.
func latest(err error, end nodeapi.Event) string {
	said := ""
	if end.Type == nodeapi.EventError {
		said = end.Message
	} else if foreign, ok := errors.AsType[*nodeapi.ForeignError](err); ok {
		said = foreign.Error()
	} else if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		said = refused.Error()
	} else if errors.Is(err, errWrongOutput) || errors.Is(err, nodeapi.ErrForeign) {
		said = err.Error()
	}
	if said = printable(said, maxMessage); said != "" {
		said = "; the latest: " + said
	}
	return said
}

// putBack persists that the task is queued again. It retries while the store is
// unavailable: the record there says that the task runs, and may say that it has shown tokens.
func (a *attempt) putBack() error {
	ctx, cancel := a.o.lifecycle.persistContext()
	defer cancel()
	again := time.NewTicker(storePause)
	defer again.Stop()
	for {
		_, err := a.o.changeIf(ctx, a.e, a.owns, backToQueue)
		if errors.Is(err, store.ErrConflict) && a.isOwnWrite() { // only the acknowledgement of an earlier write was lost
			_, err = a.o.changeIf(ctx, a.e, a.owns, backToQueue)
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

// retriable reports whether an error event before the first token may be retried on
// another pool: the pool manager's codes for an engine that is absent or was lost. A
// busy engine is an error by then, see asBusy; every other code is the engine's answer
// to this task.
func retriable(code string) bool {
	return code == "ENGINE_UNAVAILABLE" || code == "WORKER_RESET"
}

// refusedForGood reports whether every pool would refuse the task. A pool that no
// longer takes the workload says nothing about the others.
func refusedForGood(err error) bool {
	var refused *nodeapi.StatusError
	return refusesTask(err) && errors.As(err, &refused) && refused.Code != "WORKLOAD_NOT_SUPPORTED"
}

// refusesTask reports whether a healthy pool refused this task.
func refusesTask(err error) bool {
	var refused *nodeapi.StatusError
	if !errors.As(err, &refused) {
		return false
	}
	s := refused.Status
	return s == http.StatusBadRequest || s == http.StatusUnprocessableEntity || s == http.StatusRequestEntityTooLarge
}

// requeue undoes begin in memory. e.changing is held.
func (a *attempt) requeue() {
	e := a.e
	e.mu.Lock()
	e.run, e.stop = nil, nil
	if e.task.State == Running && e.task.runner == a.o.replica {
		backToQueue(&e.task)
	}
	if e.task.State == Queued && !e.gone {
		e.waits = a.w
		a.o.queue.restore(a.w, true)
	}
	e.mu.Unlock()
	a.o.tails.stopWriting(e, false)
	a.o.scheduler.wake()
}
