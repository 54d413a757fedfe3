package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/client"
)

const (
	// maxFailures is how often a task may fail before its first token; busy
	// pools (409, 429) do not count, the deadline bounds those.
	maxFailures = 5
	// retryPause and maxRetryPause space the attempts: 100 ms ×2 to 5 s.
	retryPause    = 100 * time.Millisecond
	maxRetryPause = 5 * time.Second
	// maxOutputBytes bounds what one task may bring back: a million tokens of
	// 16 bytes. A hostile node cannot send for ever.
	maxOutputBytes = 16 << 20
	// maxMessage bounds what an engine's error adds to a record.
	maxMessage = 1024
)

// attempt is one dispatch of one task.
type attempt struct {
	o       *Orchestrator
	e       *entry
	w       waiting
	l       *lease
	request *TaskRequest
	session string
	tail    *tail
	first   bool // a token has been seen, and so perhaps by a reader
	tokens  int
	bytes   int
	out     output
}

// run takes one task through one dispatch. The lease is given back before the
// task is settled, so that the slot does not wait for the disk.
func (o *Orchestrator) run(w waiting, l *lease) {
	defer o.poke()
	e := o.find(Who{Admin: true}, w.id)
	if e == nil {
		l.release(errNotTheNode)
		return
	}
	task, tail := e.view()
	a := &attempt{o: o, e: e, w: w, l: l, session: task.SessionID, tail: tail}
	deadline, cancel := context.WithDeadlineCause(o.ctx, w.deadline, errDeadline)
	defer cancel()
	ctx, stop := context.WithCancelCause(deadline)
	defer stop(nil)
	e.mu.Lock()
	e.stop = stop
	e.mu.Unlock()
	if err := a.begin(ctx); err != nil {
		l.release(errNotTheNode)
		a.giveBack(err)
		return
	}
	go o.watch(ctx, l, stop)
	end, err := a.perform(ctx)
	cause := context.Cause(ctx)
	switch {
	case cause == nil || cause == errNodeLost:
		l.release(err)
	default:
		l.release(errNotTheNode)
	}
	stop(nil)
	a.settle(end, err, cause)
}

// begin writes down that the task runs, and where, and reads its request.
func (a *attempt) begin(ctx context.Context) error {
	stored, err := a.o.store.Bucket(store.Tasks).Get(ctx, a.e.id)
	if err != nil {
		return err
	}
	r, err := decodeRecord(stored.Value)
	if err != nil {
		return err
	}
	if r.Request == nil {
		return errEnded
	}
	a.request = r.Request
	again := false
	now := a.o.now()
	warm := a.o.sessions.placed(a.session, a.l.nodeID, a.l.poolID, r.ModelRef)
	task, err := a.o.change(ctx, a.e, a.request, func(t *Task) {
		again = t.StartedAt != nil
		t.State, t.NodeID, t.PoolID, t.Engine = Running, a.l.nodeID, a.l.poolID, a.l.engine
		t.KVWarmth = warm
		t.Attempt++
		if !again {
			started := now.UTC()
			t.StartedAt = &started
		}
	})
	if err != nil {
		return err
	}
	if !again {
		a.tail.add(EventStarted, startedData{})
		a.o.pace.started(now, now.Sub(task.CreatedAt) > tick)
	}
	m := a.o.metrics
	m.started.WithLabelValues(m.engines.value(a.l.engine), m.pools.value(a.l.poolID), string(a.w.class)).Inc()
	return nil
}

// giveBack returns a task to the queue that could not even begin.
func (a *attempt) giveBack(err error) {
	if errors.Is(err, errEnded) {
		return
	}
	a.o.log.Warn("task could not begin", "task_id", a.e.id, "error", err)
	w := a.w
	w.notBefore = a.o.now().Add(retryPause)
	a.o.queue.restore(w, true)
}

// perform dispatches and copies tokens until the stream ends.
func (a *attempt) perform(ctx context.Context) (client.Event, error) {
	stream, err := a.l.client.Dispatch(ctx, a.l.poolID, a.dispatch())
	if err != nil {
		return client.Event{}, err
	}
	defer stream.Close()
	for {
		ev, err := stream.Next()
		if err != nil {
			return client.Event{}, err
		}
		if ev.Type.Last() {
			return ev, a.whole(ev)
		}
		if err := a.take(ctx, ev); err != nil {
			return client.Event{}, err
		}
	}
}

var errTooMuch = errors.New("the pool sent more than a task may bring back")

func (a *attempt) token(ctx context.Context, text string) error {
	if a.bytes += len(text); a.bytes > maxOutputBytes {
		return errTooMuch
	}
	if err := a.begun(ctx); err != nil {
		return err
	}
	a.tail.add(EventToken, TokenData{text, a.tokens})
	a.tokens++
	m := a.o.metrics
	m.tokensOut.WithLabelValues(m.engines.value(a.l.engine), m.pools.value(a.l.poolID)).Inc()
	return nil
}

// begun notes the first output. It is on disk before anybody sees it: after a
// crash the task must not run a second time and contradict its first token.
func (a *attempt) begun(ctx context.Context) error {
	if a.first {
		return nil
	}
	task, err := a.o.change(ctx, a.e, a.request, func(t *Task) {
		now := a.o.now().UTC()
		t.FirstTokenAt = &now
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotTheNode, err)
	}
	a.first = true
	if task.Workload == Completion {
		a.o.metrics.firstToken.Observe(float64(task.FirstTokenAt.Sub(task.CreatedAt).Milliseconds()))
	}
	return nil
}

func (a *attempt) dispatch() client.DispatchRequest {
	r := a.request
	return client.DispatchRequest{
		TaskID: a.e.id, Workload: r.Workload, ModelRef: r.ModelRef, Prompt: r.Prompt, Messages: r.Messages, Inputs: r.Inputs,
		MaxTokens: r.MaxTokens, Seed: r.Seed, Temperature: r.Temperature, Stop: r.Stop,
		DeadlineMS: max(1, a.w.deadline.Sub(a.o.now()).Milliseconds()),
	}
}

// settle decides what the end of the dispatch means for the task.
func (a *attempt) settle(end client.Event, err, cause error) {
	var change func(*Task)
	switch {
	case cause == errCanceled:
		return // Cancel has ended it
	case err == nil && end.Type == client.EventEnd:
		change = a.completed(end)
	case cause == errDeadline:
		change = failed("DEADLINE_EXCEEDED", "the deadline passed while the task ran", a.l.engine)
	case err == nil && (a.first || !retriable(end.Code)):
		change = failed(clip(end.Code), clip(end.Message), clip(end.Engine))
	case errors.Is(err, errTooMuch):
		change = failed("OUTPUT_TOO_LARGE", err.Error(), a.l.engine)
	case a.first && errors.Is(err, errWrongOutput):
		change = failed("OUTPUT_INVALID", err.Error(), a.l.engine)
	case a.first:
		change = failed("WORKER_RESET", "the worker was lost after the first token", a.l.engine)
	case refusedForGood(err):
		change = failed("DISPATCH_REFUSED", "the pool manager refused the task", a.l.engine)
	default:
		a.again(err, end, cause)
		return
	}
	a.o.pace.ended(a.o.now().Before(a.w.deadline))
	ended := a.o.end(a.e, change)
	if ended != nil && !errors.Is(ended, errEnded) {
		a.o.log.Error("ending task", "task_id", a.e.id, "error", ended)
	}
	if ended == nil && err == nil && end.Type == client.EventEnd {
		task, _ := a.e.view()
		a.o.metrics.completed(task, a.request.operation())
		a.o.sessions.served(context.WithoutCancel(a.o.ctx), a.session)
	}
}

func (a *attempt) completed(end client.Event) func(*Task) {
	m := a.o.metrics
	m.tokensIn.Add(float64(max(0, end.TokensIn)))
	m.decode.Observe(float64(max(0, end.DecodeMS)))
	return func(t *Task) {
		t.State, t.TokensIn, t.TokensOut = Completed, end.TokensIn, max(end.TokensOut, a.tokens)
		t.DecodeMS, t.FinishReason = end.DecodeMS, clip(end.FinishReason)
	}
}

// again puts the task back to the front of its class, elsewhere if possible.
func (a *attempt) again(err error, end client.Event, cause error) {
	if err == nil {
		err = fmt.Errorf("engine error %s", clip(end.Code))
	}
	stopping := cause == ErrStopping
	w := a.w
	if !busy(err) && !stopping {
		w.failures++
		w.needs.Failed = append(w.needs.Failed[:len(w.needs.Failed):len(w.needs.Failed)], poolKey(a.l.nodeID, a.l.poolID))
	}
	if w.failures >= maxFailures {
		a.settle(client.Event{Type: client.EventError, Code: "WORKER_UNAVAILABLE", Engine: a.l.engine,
			Message: fmt.Sprintf("%d dispatches failed before the first token", w.failures)}, nil, nil)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.o.ctx), settleTimeout)
	defer cancel()
	_, changeErr := a.o.change(ctx, a.e, a.request, func(t *Task) { t.State, t.NodeID, t.PoolID = Queued, "", "" })
	if errors.Is(changeErr, errEnded) || stopping {
		return
	}
	if changeErr != nil { // the record says running: the next begin says so again
		a.o.log.Warn("requeueing task", "task_id", a.e.id, "error", changeErr)
	}
	// A busy pool has its own pause, see lease.release; this is for the task.
	w.notBefore = a.o.now().Add(min(retryPause<<w.failures, maxRetryPause))
	a.o.log.Warn("task goes back to the queue", "task_id", a.e.id, "node_id", a.l.nodeID, "pool_id", a.l.poolID, "failures", w.failures, "error", err)
	a.o.queue.restore(w, true)
}

// retriable reports whether an error event before the first token may be tried
// again elsewhere: the pool manager's codes for an engine that is not there,
// busy, or was lost. Everything else is the engine's answer to this task.
func retriable(code string) bool {
	return code == "ENGINE_UNAVAILABLE" || code == "ENGINE_BUSY" || code == "WORKER_RESET"
}

// busy reports whether the pool only asked to come back later.
func busy(err error) bool {
	var refused *client.StatusError
	return errors.As(err, &refused) && (refused.Status == http.StatusTooManyRequests || refused.Status == http.StatusConflict)
}

// refusedForGood reports whether every pool would refuse the task alike.
func refusedForGood(err error) bool {
	var refused *client.StatusError
	if !errors.As(err, &refused) {
		return false
	}
	s := refused.Status
	return s == http.StatusBadRequest || s == http.StatusUnprocessableEntity || s == http.StatusRequestEntityTooLarge
}

func clip(text string) string {
	if len(text) > maxMessage {
		return text[:maxMessage]
	}
	return text
}
