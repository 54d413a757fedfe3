package orchestrator

import (
	"context"
	"errors"
	"strings"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxDisplaced is how many waiting tasks one newcomer tries to displace: each
// that cannot be is starting at this moment.
const maxDisplaced = 4

// Submit takes a task. When it returns without an error the task is on disk.
// With a key, the same request gives the same task; another one is a conflict.
func (o *Orchestrator) Submit(ctx context.Context, who Who, r TaskRequest, key string) (Admission, error) {
	submit := o.submit
	if r.Native != nil {
		var err error
		if r, err = o.withNative(ctx, who, r); err != nil {
			return Admission{}, err
		}
		submit = o.submitCall
	}
	admission, isNew, err := submit(ctx, who, r, key)
	admission.Replayed = err == nil && !isNew
	return admission, err
}

// submit is Submit that also says whether the task is new: else an earlier request
// under the same key has made it.
func (o *Orchestrator) submit(ctx context.Context, who Who, r TaskRequest, key string) (_ Admission, isNew bool, err error) {
	if r.ModelRef != "" && !o.catalog.allows(who.Models, r.ModelRef) {
		return Admission{}, false, o.rejected(r, "model", modelNotAllowed(who.Models))
	}
	r.models = who.Models
	digest, err := digestOf(r) // before ids are made
	if err != nil {
		return Admission{}, false, err
	}
	setDefault(&r.DeadlineMS, o.rules.deadline.Milliseconds())
	setDefault(&r.StreamLimitMS, o.rules.streamLimit.Milliseconds())
	named, ownID := r.SessionID != "", r.TaskID != ""
	if err := r.normalize(); err != nil {
		return Admission{}, false, o.rejected(r, "invalid", err)
	}
	if reason, err := o.admissible(ctx, r); err != nil {
		if e := o.earlier(ctx, who, key, digest); e != nil {
			return o.admission(e), false, nil // it was taken when that was still so
		}
		return Admission{}, false, o.rejected(r, reason, err)
	}
	if r.Placement, err = o.nodes.resolvePools(r.Placement); err != nil {
		if e := o.earlier(ctx, who, key, digest); e != nil {
			return o.admission(e), false, nil // the name was not ambiguous then
		}
		return Admission{}, false, o.rejected(r, "pool", err)
	}
	if err := o.nodes.deterministic(r); err != nil {
		if e := o.earlier(ctx, who, key, digest); e != nil {
			return o.admission(e), false, nil // the pool was deterministic then
		}
		return Admission{}, false, o.rejected(r, "determinism", err)
	}
	if key != "" {
		if err := o.unused(ctx, who, key, r.TaskID, ownID); err != nil {
			return Admission{}, false, err
		}
		earlier, err := o.remember(ctx, who, key, digest, &r)
		if err != nil || earlier != nil {
			return o.admission(earlier), false, err
		}
	}
	if err := o.reserve(who, r); err != nil {
		return Admission{}, false, err
	}
	needs, _ := o.runnable(r.needs(r.ModelRef))
	free := o.nodes.slots(needs) > 0
	e, place, err := o.create(ctx, who, r, named)
	if errors.Is(err, store.ErrExists) && key != "" { // the same request, at the same time, here or elsewhere
		earlier, err := o.find(who, r.TaskID)
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			return o.admission(earlier), false, err
		}
	}
	if errors.Is(err, store.ErrExists) {
		return Admission{}, false, taskExists()
	}
	if err != nil {
		return Admission{}, false, err
	}
	o.metrics.enqueued.Inc()
	return o.admitted(e, place.position, free || !place.waits), true, nil
}

// reserve takes capacity in the queue, or frees some, as the policy says.
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

// displace frees capacity for a task by ending one that waits.
func (o *Orchestrator) displace(who Who) bool {
	for range maxDisplaced {
		w, ok := o.queue.displace(who.Identity)
		if !ok {
			return false
		}
		e := o.tasks.get(w.id)
		if e == nil {
			return true // deleted meanwhile: its place is free
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
		o.log.Info("could not displace waiting task", "task_id", w.id, "error", err)
	}
	return false
}

// admissible checks whether a task can be taken now; reason is the label of the metric
// when not.
func (o *Orchestrator) admissible(ctx context.Context, r TaskRequest) (reason string, err error) {
	if o.lifecycle.stopping.Load() {
		return "stopping", stopping()
	}
	needs := r.needs(o.catalog.resolve(r.ModelRef))
	holders, served := o.nodes.offered(needs)
	if len(holders) == 0 {
		if reason, err := o.inCatalog(ctx, r); err != nil {
			return reason, err
		}
	}
	if o.catalog.retired(r.ModelRef) {
		return "model", fail(NotFound, "MODEL_NOT_AVAILABLE", "the catalog has retired this model")
	}
	served = served || o.fallbackServes(needs)
	if len(holders) > 0 && !served && r.Workload == Native {
		return "protocol", notServed(needs.Protocol, holders)
	}
	if err := o.contextServed(needs); err != nil {
		return "ctx", err
	}
	if len(holders) > 0 && !served {
		return "workload", fail(NotFound, "WORKLOAD_NOT_AVAILABLE", "no pool that has this model takes %s tasks", r.Workload)
	}
	if err := o.store.CheckSpace(); err != nil {
		return "disk_full", o.storeFull(err)
	}
	return "", nil
}

// maxHolders is how many pools an answer names.
const maxHolders = 8

func notServed(p nodeapi.Protocol, holders []string) *Error {
	named := holders[:min(len(holders), maxHolders)]
	return fail(Invalid, "PROTOCOL_NOT_SERVED", "no pool that has this model speaks the protocol %s; these have it: %s", p, strings.Join(named, ", "))
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
