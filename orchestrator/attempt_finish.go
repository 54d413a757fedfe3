package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxFailures is how often a task may fail before its first token; busy
	// pools (see busy) do not count, the deadline bounds those.
	maxFailures = 5
	// retryPause and maxRetryPause space the attempts: 100 ms ×2 to 5 s.
	retryPause    = 100 * time.Millisecond
	maxRetryPause = 5 * time.Second
)

// settle decides what the end of the dispatch means for the task.
func (a *attempt) settle(end nodeapi.Event, err, cause error) {
	var change func(*Task)
	switch {
	case errors.Is(cause, errEnded) || errors.Is(cause, errTaken) || errors.Is(cause, errDeposed) || errors.Is(err, errTaken):
		a.leave(true) // it is no longer ours to say
		return
	case errors.Is(cause, errCanceled):
		change = canceled
	case err == nil && end.Type == nodeapi.EventEnd && !Succeeded(end.FinishReason):
		change = failed("ENGINE_ERROR", "the engine ended the answer with finish_reason "+strconv.Quote(printable(end.FinishReason, maxWord))+", which is not known to be success", a.l.engine)
	case err == nil && end.Type == nodeapi.EventEnd:
		change = a.completed(end)
	case errors.Is(cause, errDeadline):
		change = failed("DEADLINE_EXCEEDED", "the deadline passed before the first token", a.l.engine)
	case errors.Is(cause, errStreamLimit):
		change = failed("STREAM_LIMIT_EXCEEDED", "the answer took longer than its stream_limit_ms", a.l.engine)
	case errors.Is(cause, errStalled):
		change = failed("STREAM_STALLED", fmt.Sprintf("nothing came for %s after the first token", a.o.scheduler.silence), a.l.engine)
	case err == nil && (a.first || !retriable(end.Code)):
		change = failed(code(end.Code, "ENGINE_ERROR"), printable(end.Message, maxMessage), printable(end.Engine, maxWord))
	case errors.Is(err, errTooMuch):
		change = failed("OUTPUT_TOO_LARGE", err.Error(), a.l.engine)
	case a.first && (errors.Is(err, errWrongOutput) || errors.Is(err, nodeapi.ErrForeign)):
		change = failed("OUTPUT_INVALID", printable(err.Error(), maxMessage), a.l.engine)
	case a.first && errors.Is(cause, ErrStopping):
		change = failed("WORKER_RESET", "the orchestrator stopped after the first token", a.l.engine)
	case a.first && errors.Is(cause, errNodeLost):
		change = failed("WORKER_RESET", "the node went silent after the first token", a.l.engine)
	case a.first:
		change = failed("WORKER_RESET", "the worker was lost after the first token", a.l.engine)
	case refusedForGood(err):
		change = failed("DISPATCH_REFUSED", "the pool manager refused the task", a.l.engine)
	default:
		a.again(err, end, cause)
		return
	}
	change = a.counted(change)
	a.o.scheduler.pace.ended(a.first || a.o.now().Before(a.w.deadline))
	still := a.owns
	if !a.noted {
		still = anybodys
	}
	ended := a.o.endIf(a.e, still, change)
	if errors.Is(ended, store.ErrConflict) && a.ours() { // or somebody has only asked for its end
		ended = a.o.endIf(a.e, still, change)
	}
	if errors.Is(ended, errTaken) {
		a.leave(true)
		return
	}
	if ended != nil && !errors.Is(ended, errEnded) {
		a.o.log.Error("ending task", "task_id", a.e.id, "error", ended)
	}
	if ended == nil && err == nil && end.Type == nodeapi.EventEnd {
		task := a.e.view()
		a.o.metrics.completed(task, a.request.operation())
		a.o.sessions.served(context.WithoutCancel(a.o.lifecycle.ctx), task)
	}
	a.leave(false)
}

// counted has the record say how many tokens were shown, however the task ended.
func (a *attempt) counted(change func(*Task)) func(*Task) {
	return func(t *Task) {
		change(t)
		t.TokensOut = max(t.TokensOut, a.tokens)
	}
}

func (a *attempt) completed(end nodeapi.Event) func(*Task) {
	m, in, out, decode := a.o.metrics, figure(end.TokensIn), figure(end.TokensOut), figure(end.DecodeMS)
	m.tokensIn.Add(float64(in))
	m.decode.Observe(float64(decode))
	return func(t *Task) {
		t.State, t.TokensIn, t.TokensOut = Completed, in, out
		t.DecodeMS, t.FinishReason = decode, printable(end.FinishReason, maxWord)
	}
}

// again puts the task back to the front of its class, elsewhere if possible.
func (a *attempt) again(err error, end nodeapi.Event, cause error) {
	if err == nil {
		err = fmt.Errorf("engine error %s", code(end.Code, "ENGINE_ERROR"))
	}
	stopping := errors.Is(cause, ErrStopping)
	if !busy(err) && !stopping && !errors.Is(err, errNotBegun) && !errors.Is(err, errNotTheNode) {
		a.w.failures++
		a.w.needs.Failed = append(a.w.needs.Failed[:len(a.w.needs.Failed):len(a.w.needs.Failed)], poolKey(a.l.nodeID, a.l.poolID))
	}
	a.note(err, end, stopping)
	if a.w.failures >= maxFailures {
		a.settle(nodeapi.Event{Type: nodeapi.EventError, Code: "WORKER_UNAVAILABLE", Engine: a.l.engine,
			Message: fmt.Sprintf("%d dispatches failed before the first token%s", a.w.failures, latest(err, end))}, nil, nil)
		return
	}
	// A busy pool has its own pause, see node.rest; this is for the task.
	a.w.notBefore = a.o.now().Add(min(retryPause<<a.w.failures, maxRetryPause))
	if !stopping {
		a.o.log.Warn("task goes back to the queue", "task_id", a.e.id, "node_id", a.l.nodeID, "pool_id", a.l.poolID, "failures", a.w.failures, "error", err)
	}
	a.e.changing.Lock()
	defer a.e.changing.Unlock()
	if !a.written && !a.unsure { // nor does the disk say anything else
		a.requeue()
		return
	}
	a.e.mu.Lock()
	a.e.run, a.e.stop, a.e.waits = nil, nil, a.w
	a.e.mu.Unlock()
	changeErr := a.putBack()
	if !a.written && errors.Is(changeErr, store.ErrUnavailable) { // nobody would look for what memory alone says to run
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
	} else if changeErr != nil && !errors.Is(changeErr, errEnded) { // it counts as running without a runner: see reclaim
		a.o.log.Warn("requeueing task", "task_id", a.e.id, "error", changeErr)
	}
	a.o.tails.letGo(a.e, taken)
}

// note keeps what the deadline tells: what the latest pool said, and whether it was busy
// or had failed.
func (a *attempt) note(err error, end nodeapi.Event, stopping bool) {
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

// latest is what a caller may read of why the latest dispatch failed: what the engine
// or the pool manager said. Other errors may name addresses of nodes.
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

// putBack puts on disk that the task waits again. It tries again while the store is
// away: what is there says that it runs, and may even say that it has shown tokens.
func (a *attempt) putBack() error {
	ctx, cancel := a.o.lifecycle.persistContext()
	defer cancel()
	again := time.NewTicker(storePause)
	defer again.Stop()
	for {
		_, err := a.o.changeIf(ctx, a.e, a.owns, backToQueue)
		if errors.Is(err, store.ErrConflict) && a.ours() { // only the answer to an earlier write was lost
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

// retriable reports whether an error event before the first token may be tried
// again elsewhere: the pool manager's codes for an engine that is not there, or
// was lost; one that is busy is an error by then, see asBusy. Everything else is the engine's answer to this task.
func retriable(code string) bool {
	return code == "ENGINE_UNAVAILABLE" || code == "WORKER_RESET"
}

// refusedForGood reports whether every pool would refuse the task alike. One
// that has stopped to take the workload says nothing about the others.
func refusedForGood(err error) bool {
	var refused *nodeapi.StatusError
	return refusesTask(err) && errors.As(err, &refused) && refused.Code != "WORKLOAD_NOT_SUPPORTED"
}

// refusesTask reports whether a pool that is well refused this task.
func refusesTask(err error) bool {
	var refused *nodeapi.StatusError
	if !errors.As(err, &refused) {
		return false
	}
	s := refused.Status
	return s == http.StatusBadRequest || s == http.StatusUnprocessableEntity || s == http.StatusRequestEntityTooLarge
}

// requeue undoes what begin has noted. e.changing is held.
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
	a.o.tails.letGo(e, false)
	a.o.scheduler.wake()
}

// leave forgets the dispatch. What the store says of the task stands; if it has
// said nothing new since this dispatch began, that is that the task waits.
func (a *attempt) leave(lost bool) {
	e := a.e
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	e.run, e.stop = nil, nil
	switch {
	case e.gone:
	case e.task.State == Running && e.task.runner == a.o.replica && !a.written:
		e.task = a.before
		a.o.queue.restore(e.waits, true)
	case e.task.State == Queued:
		a.o.queue.restore(e.waits, true)
	}
	e.mu.Unlock()
	a.o.tails.letGo(e, lost)
}
