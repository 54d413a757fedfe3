package orchestrator

import (
	"errors"
	"time"
)

// maxSilence is how long a stream may be without an event after its first one. A pool
// manager ends a task whose engine makes no progress long before that: maxSilence is for
// a node that does not, or that never completes an event.
const maxSilence = 30 * time.Minute

var (
	errStreamLimit = errors.New("the stream has reached its limit")
	errStalled     = errors.New("the stream has stalled")
)

// clock ends a dispatch: at its task's deadline before the first event, and after it at
// the stream's limit, if there is one, or after maxSilence. All methods but stop are for
// the goroutine of the dispatch.
type clock struct {
	stop     func(cause error)
	limit    time.Duration // of the stream; 0: none
	silence  time.Duration
	deadline *time.Timer
	end      *time.Timer // the stream's; nil: none
	silent   *time.Timer // nil: no event has come
}

func newClock(left, limit, silence time.Duration, stop func(error)) *clock {
	return &clock{stop: stop, limit: limit, silence: silence, deadline: time.AfterFunc(left, func() { stop(errDeadline) })}
}

// flows notes an event of the stream. The first one ends the time of the deadline.
func (c *clock) flows() {
	if c.silent != nil {
		c.silent.Reset(c.silence)
		return
	}
	c.deadline.Stop()
	c.silent = time.AfterFunc(c.silence, func() { c.stop(errStalled) })
	if c.limit > 0 {
		c.end = time.AfterFunc(c.limit, func() { c.stop(errStreamLimit) })
	}
}

// halt ends the clock.
func (c *clock) halt() {
	for _, t := range []*time.Timer{c.deadline, c.end, c.silent} {
		if t != nil {
			t.Stop()
		}
	}
}
