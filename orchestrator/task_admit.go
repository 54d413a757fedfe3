package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// maxDisplaced is how many waiting tasks one newcomer tries to displace: each
// that cannot be is starting at this moment.
const maxDisplaced = 4

// Admission is the answer to a task that was taken.
type Admission struct {
	TaskID           string      `json:"task_id"`
	QueuePosition    int         `json:"queue_position" doc:"0-based, in its class"`
	PredictedStartMS int64       `json:"predicted_start_ms"`
	BackoffMS        int64       `json:"backoff_ms" doc:"How long to wait before sending the next one; 0 when there is room"`
	Streams          Streams     `json:"streams"`
	Preparation      Preparation `json:"preparation"`
}

// Streams are the paths of a task's events.
type Streams struct {
	SSE        string `json:"sse"`
	SSEVerbose string `json:"sse_verbose"`
}

// Preparation is what has to happen before a task can start.
type Preparation struct {
	Steps []string `json:"steps" nullable:"false"`
}

// Submit takes a task. When it returns without an error the task is on disk.
// With a key, the same request gives the same task; another one is a conflict.
func (o *Orchestrator) Submit(ctx context.Context, who Who, r TaskRequest, key string) (Admission, error) {
	digest, err := digestOf(r) // before ids are made
	if err != nil {
		return Admission{}, err
	}
	setDefault(&r.DeadlineMS, o.rules.deadline.Milliseconds())
	setDefault(&r.StreamLimitMS, o.rules.streamLimit.Milliseconds())
	named, ownID := r.SessionID != "", r.TaskID != ""
	if err := r.normalize(); err != nil {
		return Admission{}, o.rejected(r, "invalid", err)
	}
	if reason, err := o.admissible(ctx, r); err != nil {
		if e := o.earlier(ctx, who, key, digest); e != nil {
			return o.admission(e), nil // it was taken when that was still so
		}
		return Admission{}, o.rejected(r, reason, err)
	}
	if r.Placement, err = o.nodes.resolvePools(r.Placement); err != nil {
		if e := o.earlier(ctx, who, key, digest); e != nil {
			return o.admission(e), nil // the name was not ambiguous then
		}
		return Admission{}, o.rejected(r, "pool", err)
	}
	if key != "" {
		if err := o.unused(ctx, who, key, r.TaskID, ownID); err != nil {
			return Admission{}, err
		}
		earlier, err := o.remember(ctx, who, key, digest, &r)
		if err != nil || earlier != nil {
			return o.admission(earlier), err
		}
	}
	if err := o.reserve(who, r); err != nil {
		return Admission{}, err
	}
	free := o.nodes.slots(o.catalog.resolve(r.ModelRef), r.Workload) > 0
	e, place, err := o.create(ctx, who, r, named)
	if errors.Is(err, store.ErrExists) && key != "" { // the same request, at the same time, here or elsewhere
		earlier, err := o.find(who, r.TaskID)
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			return o.admission(earlier), err
		}
	}
	if errors.Is(err, store.ErrExists) {
		return Admission{}, taskExists()
	}
	if err != nil {
		return Admission{}, err
	}
	o.metrics.enqueued.Inc()
	return o.admitted(e, place.position, free || !place.waits), nil
}

// reserve takes room in the queue, or makes some, as the policy says.
func (o *Orchestrator) reserve(who Who, r TaskRequest) error {
	switch o.queue.reserve(who.Identity, o.now(), o.rules.policy == Reject) {
	case granted:
		return nil
	case overFair:
		if o.rules.policy == DropLRU && o.displace(who) {
			return nil
		}
		return o.rejected(r, "queue_share", o.queueFull("QUEUE_SHARE_FULL", "your tasks fill your share of the queue, and the rest is for others; send it again after retry_after_ms"))
	}
	if o.rules.policy == DropLRU && o.displace(who) {
		return nil
	}
	return o.rejected(r, "queue_full", o.queueFull("QUEUE_FULL", "send it again after retry_after_ms"))
}

// displace makes room for a task by ending one that waits.
func (o *Orchestrator) displace(who Who) bool {
	for range maxDisplaced {
		w, ok := o.queue.displace(who.Identity)
		if !ok {
			return false
		}
		e := o.tasks.get(w.id)
		if e == nil {
			return true // forgotten meanwhile: its room is free
		}
		err := o.end(e, failed("QUEUE_DISPLACED", "the queue was full, and a newer task took this batch task's place", ""))
		if err == nil {
			o.metrics.backpressure.WithLabelValues(string(DropLRU)).Inc()
			return true
		}
		o.queue.release(who.Identity)
		e.mu.Lock()
		if e.task.State == Queued && e.run == nil {
			o.queue.restore(e.waits, true)
		}
		e.mu.Unlock()
		o.log.Info("task keeps its place", "task_id", w.id, "error", err)
	}
	return false
}

// admissible says why a task cannot be taken now, in a word for the metrics and in
// an error for the caller.
func (o *Orchestrator) admissible(ctx context.Context, r TaskRequest) (reason string, err error) {
	if o.lifecycle.stopping.Load() {
		return "stopping", stopping()
	}
	known, served := o.nodes.offered(o.catalog.resolve(r.ModelRef), r.Workload)
	if !known {
		if reason, err := o.inCatalog(ctx, r); err != nil {
			return reason, err
		}
	}
	if o.catalog.retired(r.ModelRef) {
		return "model", fail(NotFound, "MODEL_NOT_AVAILABLE", "the catalog has retired this model")
	}
	if known && !served {
		return "workload", fail(NotFound, "WORKLOAD_NOT_AVAILABLE", "no pool that has this model takes %s tasks", r.Workload)
	}
	if err := o.store.Room(); err != nil {
		return "disk_full", o.full(err)
	}
	return "", nil
}

// inCatalog refuses a model that no node has reported, unless it is in the catalog,
// where another replica may have entered it just now.
func (o *Orchestrator) inCatalog(ctx context.Context, r TaskRequest) (reason string, err error) {
	if o.catalog.knows(r.ModelRef) {
		return "", nil
	}
	if o.store.Shared() {
		_, err := o.catalog.find(ctx, plainName(r.ModelRef))
		if e, _ := errors.AsType[*Error](err); e == nil || e.Kind != NotFound {
			return "unavailable", err
		}
	}
	if left := o.nodes.returning(); left > 0 {
		e := fail(Unavailable, "NODES_RETURNING", "no node has reported this model since the orchestrator has started, and not all are back")
		e.RetryAfter = left
		return "nodes_returning", e
	}
	return "model", fail(NotFound, "MODEL_NOT_AVAILABLE", "neither the catalog nor a node has this model; see GET /v1/models")
}

func (o *Orchestrator) admission(e *taskEntry) Admission {
	if e == nil {
		return Admission{}
	}
	position, waits := o.queue.position(e.id)
	return o.admitted(e, position, !waits)
}

// admitted is the answer for a task at this position. Free says that a slot is
// there for the first in the queue.
func (o *Orchestrator) admitted(e *taskEntry, position int, free bool) Admission {
	task := e.view()
	starts := o.queue.starts(task.Priority, position)
	if !free {
		starts++ // the slot that the first one waits for
	}
	path := "/v2/tasks/" + e.id + "/events"
	return Admission{
		TaskID: e.id, QueuePosition: position, PredictedStartMS: o.scheduler.pace.predict(starts),
		Streams:     Streams{SSE: path, SSEVerbose: path + "?verbose=true"},
		Preparation: Preparation{Steps: []string{}},
	}
}

// waitsFor is what the queue needs to know of a task.
func (o *Orchestrator) waitsFor(task Task, r TaskRequest) waiting {
	needs := Needs{Model: r.ModelRef, Workload: r.Workload, Engine: r.Engine}
	if r.Placement != nil {
		needs.Hint = *r.Placement
	}
	// The record has the wall clock's time, which may be set; what is left of it
	// is counted on the monotonic one, and never more than was asked for.
	now := o.now()
	left := min(task.DeadlineAt.Sub(now), time.Duration(r.DeadlineMS)*time.Millisecond)
	w := waiting{id: task.TaskID, owner: task.Owner, class: task.Priority, deadline: now.Add(left), limit: time.Duration(r.StreamLimitMS) * time.Millisecond, needs: needs, key: needs.key()}
	if r.KVHint != "cold" {
		w.session = task.SessionID
	}
	return w
}

// full is the answer when the disk has no room for anything new.
func (o *Orchestrator) full(err error) *Error {
	o.log.Error("nothing new is taken", "error", err)
	return fail(Unavailable, "STORE_FULL", "the state directory has no room")
}

// queueFull is the answer of a queue that has no room for this task.
func (o *Orchestrator) queueFull(code, hint string) *Error {
	o.metrics.backpressure.WithLabelValues(string(Reject)).Inc()
	e := fail(Busy, code, "%s", hint)
	e.Policy, e.RetryAfter = string(o.rules.policy), o.scheduler.pace.backoff()
	return e
}

func (o *Orchestrator) rejected(r TaskRequest, reason string, err error) error {
	engine := "any"
	if o.nodes.hasEngine(r.Engine) { // a caller's text is not a label
		engine = o.metrics.engines.value(r.Engine)
	}
	o.metrics.rejected.WithLabelValues(engine, reason).Inc()
	return err
}
