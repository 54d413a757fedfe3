package orchestrator

import (
	"context"
	"time"
)

// orphanAge is how old a body may become without a record that names it: longer than
// the largest takes to arrive.
const orphanAge = 10 * time.Minute

// contents is what the tasks have in the store besides their records, under one bound.
type contents struct {
	o       *Orchestrator
	request int64         // bytes that one request may have
	event   int64         // bytes that one event, or one whole answer, may have
	keep    time.Duration // how long the answer to a call without a key is kept
	held    *Shares       // bytes of bodies, by identity
	uploads *Shares       // bodies that are being stored

	doomed       chan string   // keys that are to be destroyed
	compact      chan struct{} // capacity 1: a compaction of the keys is asked for
	compactPause time.Duration

	found     map[string]time.Time // bodies without a record, since when; for the sweep
	keysSwept time.Time
}

func newContents(o *Orchestrator, s Settings) *contents {
	return &contents{o: o, request: s.RequestBytes, event: s.EventBytes, keep: s.KeepContent,
		held: NewShares(s.ContentBytes), uploads: NewShares(maxUploads), found: make(map[string]time.Time),
		doomed: make(chan string, maxDoomed), compact: make(chan struct{}, 1), compactPause: s.compactPause, keysSwept: o.now()}
}

func (c *contents) full() *Error {
	return fail(Unavailable, "CONTENT_FULL", "too many bytes of requests are kept, or too many of yours; send it again later")
}

func (c *contents) busy() *Error {
	e := fail(Busy, "TOO_MANY_UPLOADS", "too many large requests are being received, or too many of yours; send it again")
	e.RetryAfter = time.Second
	return e
}

// count counts the body of a task for its owner, until the task has ended or is
// forgotten. e.mu is held.
func (c *contents) count(e *taskEntry) {
	bytes := e.task.content.Bytes
	if e.gone || e.task.State.Ended() {
		bytes = 0
	}
	c.held.Add(e.owner, bytes-e.body)
	e.body = bytes
}

// discard removes a body that no record names.
func (c *contents) discard(ctx context.Context, at content) {
	c.doom(at.Key)
	if at.Body == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	if err := c.o.store.Content().Forget(ctx, at.Body); err != nil {
		c.o.log.Warn("could not remove the body of a request", "body", at.Body, "error", err) // the sweep will
	}
}

// expired reports whether the answer of an ended task is to be removed.
func (c *contents) expired(t Task, now time.Time) bool {
	return t.Workload == Native && !t.content.Keep && now.Sub(*t.EndedAt) >= c.keep
}

// eraseBody removes the body of a task that has ended. It is for the replica that ended
// it.
func (c *contents) eraseBody(t Task) {
	if t.content.Body == "" {
		return
	}
	ctx, cancel := c.o.lifecycle.persistContext()
	defer cancel()
	if err := c.o.store.Content().Forget(ctx, t.content.Body); err != nil {
		c.o.log.Warn("could not remove the body of an ended task", "task_id", t.TaskID, "error", err)
	}
}

// eraseAnswers removes the answers of calls that nothing will ask for again. Their
// records stay.
func (c *contents) eraseAnswers(ended []Task) {
	now := c.o.now()
	for _, t := range ended {
		e := c.o.tasks.get(t.TaskID)
		if e == nil || !c.expired(t, now) || !e.erase() {
			continue
		}
		if err := c.o.store.Events().Forget(c.o.lifecycle.ctx, t.TaskID); err != nil {
			e.notErased()
			c.o.log.Warn("could not remove the answer of an ended call", "task_id", t.TaskID, "error", err)
			return
		}
		c.doom(t.content.Key)
	}
}

// erase notes that the answer is removed; false if it was already.
func (e *taskEntry) erase() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := !e.erased
	e.erased = true
	return first
}

// notErased undoes erase: the answer is still there.
func (e *taskEntry) notErased() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.erased = false
}

// sweep removes bodies that no record of a task that has not ended names: what a crash
// has left between the pieces and the record, or after the end.
func (c *contents) sweep() {
	if err := c.o.store.Grow(c.o.lifecycle.ctx); err != nil {
		c.o.log.Warn("could not make more room for the bodies of requests", "error", err)
	}
	ids, err := c.o.store.Content().IDs(c.o.lifecycle.ctx)
	if err != nil {
		c.o.log.Warn("could not list the bodies of requests", "error", err)
		return
	}
	now, used, found := c.o.now(), c.o.tasks.bodies(), map[string]time.Time{}
	for _, id := range ids {
		if used[id] {
			continue
		}
		since, known := c.found[id]
		if !known {
			since = now
		}
		if now.Sub(since) < orphanAge {
			found[id] = since
			continue
		}
		if err := c.o.store.Content().Forget(c.o.lifecycle.ctx, id); err != nil {
			c.o.log.Warn("could not remove an orphaned body", "body", id, "error", err)
			found[id] = since
		}
	}
	c.found = found
}

// bodies names the bodies of the tasks that have not ended.
func (t *taskTable) bodies() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	used := make(map[string]bool)
	for _, e := range t.byID {
		if task := e.view(); task.content.Body != "" && !task.State.Ended() {
			used[task.content.Body] = true
		}
	}
	return used
}
