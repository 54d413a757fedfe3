package orchestrator

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A pool that is busy asks to be asked again later: 409, 429, 503, or an engine's
// ENGINE_BUSY before the first token. That is no failure (api.md "Limits in time").
// The pool is left alone as it asked, other pools are tried meanwhile, and the task
// waits until its deadline.
const (
	// minBusy and maxBusy bound how long a pool is left alone that did not say: twice
	// as long each time in a row. Its next heartbeat ends it earlier.
	minBusy = 250 * time.Millisecond
	maxBusy = 5 * time.Second
	// maxTold bounds how long it is left alone that did say. One that asked for longer
	// is asked after that, and may ask again.
	maxTold = 5 * time.Minute
)

// engineBusyCode is the code of the error event of an engine that takes no work now.
const engineBusyCode = "ENGINE_BUSY"

// busyEngine is an engine's request, through its pool manager, to come again later.
type busyEngine struct {
	words string
	after time.Duration // 0: it did not say
}

// Error gives the engine's words.
func (e *busyEngine) Error() string { return engineBusyCode + ": " + e.words }

// asBusy makes an error of an event that says that the engine is busy; nil of others.
func asBusy(end nodeapi.Event) error {
	if end.Type != nodeapi.EventError || end.Code != engineBusyCode {
		return nil
	}
	return &busyEngine{printable(end.Message, maxMessage), time.Duration(end.RetryAfterMS) * time.Millisecond}
}

// busy reports whether the pool, or its engine, only asked to come back later.
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

// asked is how long a busy pool asked to be left alone; 0 when it did not say.
func asked(err error) time.Duration {
	if engine, ok := errors.AsType[*busyEngine](err); ok {
		return max(0, engine.after)
	}
	if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		return max(0, refused.RetryAfter)
	}
	return 0
}

// words is what a busy pool, or its engine, said; "" of one that is only not ready.
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

// pause is how long and why a pool is left alone.
type pause struct {
	until time.Time
	told  bool   // the pool said how long: its heartbeats do not shorten it
	words string // what it said
	count int    // in a row
}

// rest has a pool that is busy left alone. Dispatches that were refused together count
// once. ns.mu is held.
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

// restWords is what a pool said that holds the model and rests, and with which engine.
func (o *Orchestrator) restWords(n Needs) (said, engine string) {
	n.Model = o.catalog.resolve(n.Model)
	o.nodes.each(func(c Candidate) bool {
		if c.Rests.words != "" && infeasible(n, c) == "no_slot" {
			said, engine = c.Rests.words, c.Engine
		}
		return said != ""
	})
	return said, engine
}
