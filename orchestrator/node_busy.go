package orchestrator

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A busy pool answers 409, 429 or 503, or its engine ENGINE_BUSY before the first token.
// That is not a failure: the pool gets no task for as long as
// it asked, other pools are tried, and the task waits until its deadline.
const (
	// minBusy and maxBusy bound the pause of a pool that gave no Retry-After: twice as
	// long each time in a row. Its next heartbeat ends the pause earlier.
	minBusy = 250 * time.Millisecond
	maxBusy = 5 * time.Second
	// maxTold bounds the pause of a pool that gave one.
	maxTold = 5 * time.Minute
)

// engineBusyCode is the code of the error event of an engine that is busy.
const engineBusyCode = "ENGINE_BUSY"

// busyEngine is an engine's request, through its pool manager, to retry later.
type busyEngine struct {
	words string
	after time.Duration // 0: not given
}

// Error gives the engine's message.
func (e *busyEngine) Error() string { return engineBusyCode + ": " + e.words }

// asBusy makes an error of an event that says that the engine is busy; nil of others.
func asBusy(end nodeapi.Event) error {
	if end.Type != nodeapi.EventError || end.Code != engineBusyCode {
		return nil
	}
	return &busyEngine{printable(end.Message, maxMessage), time.Duration(end.RetryAfterMS) * time.Millisecond}
}

// busy reports whether the pool, or its engine, only asked for a later retry.
func busy(err error) bool {
	if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		switch refused.Status {
		case http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return true
		}
	}
	_, ok := errors.AsType[*busyEngine](err)
	return ok
}

// asked is the pause that a busy pool asked for; 0 for none.
func asked(err error) time.Duration {
	if engine, ok := errors.AsType[*busyEngine](err); ok {
		return max(0, engine.after)
	}
	if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		return max(0, refused.RetryAfter)
	}
	return 0
}

// words is the message of a busy pool or of its engine; "" when it is not ready.
func words(err error) string {
	if engine, ok := errors.AsType[*busyEngine](err); ok {
		return engine.words
	}
	refused, ok := errors.AsType[*nodeapi.StatusError](err)
	if !ok || refused.Status == http.StatusConflict {
		return ""
	}
	return printable(fmt.Sprintf("%d %s %s", refused.Status, code(refused.Code, ""), refused.Hint), maxMessage)
}

// pause is how long and why a pool gets no task.
type pause struct {
	until time.Time
	told  bool   // the pool said how long: its heartbeats do not shorten it
	words string // what it said
	count int    // in a row
}

// rest pauses a busy pool. Dispatches that were refused together count once. ns.mu is
// held.
func (n *node) rest(poolID string, err error, now time.Time) {
	p := n.busy[poolID]
	if !now.Before(p.until) {
		p.count++
	}
	told := asked(err)
	wait := min(max(told, minBusy<<min(max(p.count-1, 0), 5)), maxBusy)
	if told > maxBusy {
		wait = min(told, maxTold)
	}
	if until := now.Add(wait); until.After(p.until) {
		p.until, p.told = until, told > 0
	}
	p.words = words(err)
	n.busy[poolID] = p
}

// resume ends the pauses that a heartbeat ends: those of pools that did not say how
// long, and those that are over.
func (n *node) resume(now time.Time) {
	for id, p := range n.busy {
		if !p.told || !now.Before(p.until) {
			delete(n.busy, id)
		}
	}
}

// restWords is the message of a paused pool that holds the model, and its engine.
func (o *Orchestrator) restWords(n Needs) (said, engine string) {
	n, _ = o.runnable(n)
	o.nodes.each(func(c Candidate) bool {
		if c.Rests.words != "" && infeasible(n, c) == "no_slot" {
			said, engine = c.Rests.words, c.Engine
		}
		return said != ""
	})
	return said, engine
}
