package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxOutputBytes bounds the output of one task: a million tokens of 16 bytes. It
	// also bounds a hostile node.
	maxOutputBytes = 16 << 20
	// writeRunning is how long a dispatch may run before it is persisted: most
	// refusals arrive before that, and most first tokens after it.
	writeRunning = 2 * time.Millisecond
	// showWindow is how long the record says that tokens may have been shown while
	// none has come. For a slower engine one more write before the first token does
	// not matter.
	showWindow = 100 * time.Millisecond
)

// errNotBegun is a dispatch whose request could not be read. With store.ErrNotFound it never
// will be: its key is gone.
var errNotBegun = errors.New("could not start dispatch")

// attempt is one dispatch of one task.
type attempt struct {
	o         *Orchestrator
	e         *taskEntry
	w         waiting
	l         *slot
	fallback  string // the model that runs in place of the one asked for; "" for that one
	logPlaced func() // logs the placement, after the dispatch has been sent
	request   *TaskRequest
	session   string
	before    Task // as it was when this began
	tail      *tail
	applied   bool // what memory says of the task is this dispatch; guarded by e.mu
	written   bool // that it runs is on disk; guarded by e.changing
	uncertain bool // or may be; guarded by e.changing
	clock     *clock
	first     bool // a token has been seen, and so perhaps by a reader
	tokens    int
	bytes     int
	counter   prometheus.Counter // of tokens
	out       output
	call      callOutput
}

// run takes one task through one dispatch. The slot is released before the task is
// finished, so that it does not wait for the disk.
func (o *Orchestrator) run(leaderCtx context.Context, a *attempt) {
	defer o.scheduler.wake()
	o.scheduler.active.Add(1)
	defer o.scheduler.active.Add(-1)
	defer o.sessions.turnEnded(a.session, a.e.id)
	ctx, stop := context.WithCancelCause(leaderCtx)
	defer stop(nil)
	a.clock = newClock(a.w.deadline.Sub(o.now()), a.w.limit, o.scheduler.silence, stop)
	defer a.clock.halt()
	a.e.mu.Lock()
	a.e.stop = stop
	o.interfere(a.e) // it may have been changed meanwhile
	a.e.mu.Unlock()
	if err := a.begin(ctx); err != nil {
		a.logPlaced()
		a.l.release(errNotTheNode)
		a.finish(nodeapi.Event{}, err, context.Cause(ctx))
		return
	}
	var watching sync.WaitGroup
	watching.Go(func() { a.logPlaced(); a.watch(ctx, stop) })
	end, err := a.perform(ctx)
	if err == nil && !a.first {
		err = asBusy(end)
	}
	cause := context.Cause(ctx)
	switch {
	case cause == nil || errors.Is(cause, errNodeLost) || errors.Is(cause, errStalled):
		a.l.release(err)
	default:
		a.l.release(errNotTheNode)
	}
	stop(nil)
	watching.Wait()
	a.finish(end, err, cause)
}

// begin reads the request and notes, in memory, that the task runs, and where. It is
// persisted soon (see watch); a crash before that only means another dispatch.
func (a *attempt) begin(ctx context.Context) error {
	a.e.mu.Lock()
	a.request = a.e.request
	a.e.mu.Unlock()
	if a.request == nil {
		var err error
		if a.request, err = a.o.readRequest(ctx, a.e); err != nil {
			return fmt.Errorf("%w: %w", errNotBegun, err)
		}
	}
	opened, err := a.o.openRequest(ctx, a.e.view(), a.request)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotBegun, err)
	}
	a.request = opened
	now := a.o.now()
	warm := a.o.sessions.placed(a.session, a.e.id, a.l.nodeID, a.l.poolID, cmp.Or(a.fallback, a.request.ModelRef))
	a.e.changing.Lock()
	a.e.mu.Lock()
	task := &a.e.task
	if task.State != Queued {
		a.e.mu.Unlock()
		a.e.changing.Unlock()
		return errTaken
	}
	a.before, a.applied, a.written = *task, true, a.e.mayShow
	again := task.StartedAt != nil
	a.e.request = a.request // each change writes it again
	task.State, task.NodeID, task.PoolID, task.Engine = Running, a.l.nodeID, a.l.poolID, a.l.engine
	task.KVWarmth, task.ModelUsed, task.runner = warm, a.fallback, a.o.replica
	task.Attempt++
	if !again {
		started := now.UTC()
		task.StartedAt = &started
	}
	created := task.CreatedAt
	t, unfeed := a.o.tails.own(a.e, again)
	a.tail = t
	a.e.mu.Unlock()
	a.e.changing.Unlock()
	if unfeed != nil {
		unfeed()
	}
	if !again {
		a.o.scheduler.pace.started(now, now.Sub(created) > tick)
	}
	m := a.o.metrics
	m.started.WithLabelValues(m.engines.value(a.l.engine), m.pools.value(a.l.poolID), string(a.w.class)).Inc()
	return nil
}

// perform dispatches and copies tokens until the stream ends.
func (a *attempt) perform(ctx context.Context) (end nodeapi.Event, err error) {
	ctx, span := a.span(ctx, a.e.view())
	defer func() { endSpan(span, end, err) }()
	if a.request.Workload == Native {
		return a.performCall(ctx)
	}
	stream, err := a.l.client.Dispatch(ctx, a.l.poolID, a.dispatch())
	if err != nil {
		return nodeapi.Event{}, err
	}
	defer stream.Close()
	for {
		ev, err := stream.Next()
		if err != nil {
			return nodeapi.Event{}, err
		}
		if ev.Type.Last() {
			return ev, a.checkComplete(ev)
		}
		a.clock.flows()
		if err := a.take(ctx, ev); err != nil {
			return nodeapi.Event{}, err
		}
	}
}

var errTooMuch = errors.New("the pool sent more output than a task may have")

func (a *attempt) token(ctx context.Context, text string) error {
	if a.bytes += len(text); a.bytes > maxOutputBytes {
		return errTooMuch
	}
	if err := a.allowOutput(ctx); err != nil {
		return err
	}
	a.tail.add(EventToken, encodeToken(text, a.tokens))
	a.tokens++
	if a.counter == nil {
		m := a.o.metrics
		a.counter = m.tokensOut.WithLabelValues(m.engines.value(a.l.engine), m.pools.value(a.l.poolID))
	}
	a.counter.Inc()
	return nil
}

func (a *attempt) dispatch() nodeapi.DispatchRequest {
	d := a.request.dispatch(a.e.id, a.w.deadline.Sub(a.o.now()))
	if a.l.model != "" {
		d.ModelRef = a.l.model
	}
	return d
}
