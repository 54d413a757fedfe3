package orchestrator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lifecycle holds what runs between the start of a replica and its stop.
type lifecycle struct {
	ctx     context.Context // ends when running tasks have to stop
	cancel  context.CancelCauseFunc
	stopped chan struct{}  // closed when readers have to leave
	work    sync.WaitGroup // the scheduler and everything it has started

	stopWatches context.CancelFunc
	watches     sync.WaitGroup // what keeps memory in step with the store

	answers  atomic.Int64  // to calls, that go on; the drain waits for them
	stopping atomic.Bool   // Stop was called
	leaving  chan struct{} // closed then
	drain    time.Duration // how long running tasks may go on after that
	drainEnd atomic.Int64  // Unix nanoseconds: when running tasks have to stop
}

func newLifecycle(ctx context.Context, drain time.Duration) *lifecycle {
	l := &lifecycle{stopped: make(chan struct{}), leaving: make(chan struct{}), drain: drain}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l
}

// answering counts an answer to a call until done is called.
func (l *lifecycle) answering() (done func()) {
	l.answers.Add(1)
	return func() { l.answers.Add(-1) }
}

// answersPause is how often the drain looks whether answers go on.
const answersPause = 20 * time.Millisecond

// awaitAnswers waits for the answers to calls: their tasks may run at another replica.
// It reports whether all have ended before ctx has.
func (l *lifecycle) awaitAnswers(ctx context.Context) bool {
	again := time.NewTicker(answersPause)
	defer again.Stop()
	for l.answers.Load() > 0 {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Answering counts an answer to a native call until done is called. A stop gives it the
// time that running tasks have, wherever its task runs.
func (o *Orchestrator) Answering() (done func()) { return o.lifecycle.answering() }

// persistContext bounds a write that has to happen even when everything stops.
func (l *lifecycle) persistContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(l.ctx), persistTimeout)
}

// once runs f in the background, unless it runs already.
func (l *lifecycle) once(running *atomic.Bool, f func()) {
	if running.Swap(true) {
		return
	}
	l.work.Go(func() {
		defer running.Store(false)
		f()
	})
}

// beginStop fixes until when running tasks may go on: for the configured time, and
// no longer than ctx allows. first is false when the stop has begun before.
func (l *lifecycle) beginStop(ctx context.Context) (end time.Time, first bool) {
	if l.stopping.Load() {
		return end, false
	}
	end = time.Now().Add(l.drain)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-finishReserve).Before(end) {
		end = deadline.Add(-finishReserve)
	}
	l.drainEnd.Store(end.UnixNano())
	if first = !l.stopping.Swap(true); first {
		close(l.leaving)
	}
	return end, first
}

// drainLeft is how long running tasks may go on after a stop; not positive before
// one, and when that time is over.
func (l *lifecycle) drainLeft() time.Duration {
	if !l.stopping.Load() {
		return 0
	}
	return time.Until(time.Unix(0, l.drainEnd.Load()))
}
