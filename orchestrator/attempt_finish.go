package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxFailures is how often a task may fail before its first token. Busy pools
	// (see busy) do not count: the deadline bounds those retries.
	maxFailures = 5
	// retryPause and maxRetryPause space the attempts: 100 ms ×2 to 5 s.
	retryPause    = 100 * time.Millisecond
	maxRetryPause = 5 * time.Second
)

// finish ends the task, or queues it again, after the end of the dispatch.
func (a *attempt) finish(end nodeapi.Event, err, cause error) {
	var change func(*Task)
	switch {
	case errors.Is(cause, errEnded) || errors.Is(cause, errTaken) || errors.Is(cause, errLeadershipLost) || errors.Is(err, errTaken):
		a.leave(true) // the next leader recovers or ends it
		return
	case errors.Is(cause, errCanceled):
		change = canceled
	case err == nil && end.Type == nodeapi.EventEnd && !a.succeeded(end):
		change = failedBy(a.unsuccessful(), "the engine ended the answer with a finish_reason that is not known to be success",
			"the engine ended the answer with finish_reason "+strconv.Quote(printable(end.FinishReason, maxWord))+", which is not known to be success", a.l.engine)
	case err == nil && end.Type == nodeapi.EventEnd:
		change = a.completed(end)
	case lostContent(err):
		change = failed("CONTENT_LOST", "the request can no longer be read: its key or a part of it is gone; send it as a new task", "")
	case errors.Is(cause, errDeadline):
		change = failed("DEADLINE_EXCEEDED", "the deadline passed before the first token", a.l.engine)
	case errors.Is(cause, errStreamLimit):
		change = failed("STREAM_LIMIT_EXCEEDED", "the answer took longer than its stream_limit_ms", a.l.engine)
	case errors.Is(cause, errStalled):
		change = failed("STREAM_STALLED", fmt.Sprintf("nothing came for %s after the first token", a.o.scheduler.silence), a.l.engine)
	case err == nil && (a.first || !retriable(end.Code) && !a.elsewhere()):
		change = a.failedByEngine(end)
	case errors.Is(err, errTooMuch):
		change = failed("OUTPUT_TOO_LARGE", err.Error(), a.l.engine)
	case a.first && (errors.Is(err, errWrongOutput) || errors.Is(err, nodeapi.ErrForeign)):
		change = failedBy("OUTPUT_INVALID", "the pool sent something that is no answer", printable(err.Error(), maxMessage), a.l.engine)
	case a.first:
		change = failed("WORKER_RESET", lostBy(cause)+" after the first token", a.l.engine)
	case refusedForGood(err):
		change = failed("DISPATCH_REFUSED", "the pool manager refused the task", a.l.engine)
	default:
		a.retry(err, end, cause)
		return
	}
	change = a.counted(a.callFailed(change, err))
	a.o.scheduler.pace.ended(a.first || a.o.now().Before(a.w.deadline))
	still := a.owns
	if !a.applied {
		still = always
	}
	ended := a.o.endIf(a.e, still, change)
	if errors.Is(ended, store.ErrConflict) && a.isOwnWrite() { // or only a cancel request was added
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
		a.o.scheduler.pace.decoded(task.TokensOut, time.Duration(task.DecodeMS)*time.Millisecond)
		a.o.sessions.served(context.WithoutCancel(a.o.lifecycle.ctx), task)
	}
	a.leave(false)
}

// failedByEngine gives the change that ends the task with an error event: the engine's, or
// that of the latest dispatch.
func (a *attempt) failedByEngine(end nodeapi.Event) func(*Task) {
	ours := "the engine answered with an error"
	if end.Code == workerUnavailable {
		ours = fmt.Sprintf("%d dispatches failed before the first token", a.w.failures)
	}
	return failedBy(code(end.Code, "ENGINE_ERROR"), ours, printable(end.Message, maxMessage), printable(end.Engine, maxWord))
}

// workerUnavailable is the code of a task whose dispatches failed as often as they may.
const workerUnavailable = "WORKER_UNAVAILABLE"

// lostBy tells what ended an answer that had begun.
func lostBy(cause error) string {
	switch {
	case errors.Is(cause, ErrStopping):
		return "the orchestrator stopped"
	case errors.Is(cause, errNodeLost):
		return "the node went silent"
	}
	return "the worker was lost"
}

// counted records how many tokens were shown, for every kind of end.
func (a *attempt) counted(change func(*Task)) func(*Task) {
	return func(t *Task) {
		change(t)
		if t.Workload != Native || t.TokensOut == 0 { // else the engine's figure
			t.TokensOut = max(t.TokensOut, a.tokens)
			t.TokensEstimated = t.TokensEstimated || t.Workload == Native && t.TokensOut > 0
		}
	}
}

func (a *attempt) completed(end nodeapi.Event) func(*Task) {
	m, in, out, decode := a.o.metrics, figure(end.TokensIn), figure(end.TokensOut), figure(end.DecodeMS)
	m.tokensIn.Add(float64(in))
	m.decode.Observe(time.Duration(decode) * time.Millisecond)
	return func(t *Task) {
		t.State, t.TokensIn, t.TokensOut = Completed, in, out
		t.DecodeMS, t.FinishReason = decode, printable(end.FinishReason, maxWord)
		t.TokensCachedIn, t.TokensReasoningOut = figure(a.call.end.CachedIn), figure(a.call.end.ReasoningOut)
		t.TokensEstimated, t.ResponseID = a.call.end.Estimated, printable(a.call.end.ResponseID, maxModelName)
	}
}

// leave forgets the dispatch and keeps the task as the store has it: queued, if the
// record has not changed since this dispatch began.
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
	a.o.tails.stopWriting(e, lost)
}
