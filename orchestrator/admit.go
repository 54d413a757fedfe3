package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

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

// idempotent is what is kept of an Idempotency-Key.
type idempotent struct {
	TaskID string `json:"task_id"`
	Body   string `json:"body"` // digest of the request
}

// Submit takes a task. When it returns without an error the task is on disk.
// With a key, the same request gives the same task; another one is a conflict.
func (o *Orchestrator) Submit(ctx context.Context, who Who, r TaskRequest, key string) (Admission, error) {
	digest, err := digestOf(r) // before ids are made
	if err != nil {
		return Admission{}, err
	}
	named := r.SessionID != ""
	if err := r.normalize(); err != nil {
		return Admission{}, o.rejected(r, "invalid", err)
	}
	if err := o.admissible(r); err != nil {
		return Admission{}, err
	}
	if key != "" {
		earlier, err := o.remember(ctx, who, key, digest, &r)
		if err != nil || earlier != nil {
			return o.admission(earlier), err
		}
	}
	if !o.queue.reserve() {
		return Admission{}, o.rejected(r, "queue_full", o.queueFull())
	}
	e, err := o.create(ctx, who, r, named)
	if err != nil {
		o.queue.release()
		return Admission{}, err
	}
	free := o.nodes.free(r.ModelRef, r.Workload)
	position := o.queue.push(o.waits(e, r))
	o.metrics.enqueued.Inc()
	o.poke()
	return o.admitted(e, position, free), nil
}

func (o *Orchestrator) admissible(r TaskRequest) error {
	if o.closing.Load() {
		return o.rejected(r, "stopping", fail(Unavailable, "STOPPING", "the orchestrator is stopping"))
	}
	if o.catalog.retired(r.ModelRef) {
		return o.rejected(r, "model", fail(NotFound, "MODEL_NOT_AVAILABLE", "the catalog has retired this model"))
	}
	known, served := o.nodes.offered(r.ModelRef, r.Workload)
	if !known && !o.catalog.knows(r.ModelRef) {
		return o.rejected(r, "model", fail(NotFound, "MODEL_NOT_AVAILABLE", "neither the catalog nor a node has this model; see GET /v1/models"))
	}
	if known && !served {
		return o.rejected(r, "workload", fail(NotFound, "WORKLOAD_NOT_AVAILABLE", "no pool that has this model takes %s tasks", r.Workload))
	}
	if err := o.store.Room(); err != nil {
		return o.rejected(r, "disk_full", o.full(err))
	}
	return nil
}

func (o *Orchestrator) create(ctx context.Context, who Who, r TaskRequest, named bool) (*entry, error) {
	now := o.now().UTC()
	task := Task{
		TaskID: r.TaskID, Owner: who.Identity, SessionID: r.SessionID, CorrelationID: authmin.CorrelationID(ctx),
		State: Queued, Workload: r.Workload, ModelRef: r.ModelRef, Priority: r.Priority, Engine: r.Engine, MaxTokens: r.MaxTokens,
		CreatedAt: now, DeadlineAt: now.Add(time.Duration(r.DeadlineMS) * time.Millisecond),
	}
	value, err := record{Task: task, Request: &r}.encode()
	if err != nil {
		return nil, err
	}
	if o.stored.Load()+int64(len(value)) > maxTaskBytes {
		return nil, o.rejected(r, "store_full", fail(Unavailable, "STORE_FULL", "too many bytes of tasks wait; send it again later"))
	}
	if err := o.sessions.take(ctx, who, r.SessionID, named); err != nil {
		return nil, err
	}
	// A caller that hangs up now must not leave a record that nobody runs.
	revision, err := o.store.Bucket(store.Tasks).Create(context.WithoutCancel(ctx), r.TaskID, value)
	if err != nil {
		o.sessions.giveBack(r.SessionID)
	}
	if errors.Is(err, store.ErrExists) {
		return nil, fail(Conflict, "TASK_EXISTS", "this task_id is taken")
	}
	if err != nil {
		return nil, err
	}
	e := &entry{id: r.TaskID, owner: who.Identity, task: task, revision: revision, size: int64(len(value)), tail: o.newTailFor(r.TaskID, 0)}
	o.stored.Add(e.size)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tasks[e.id] = e
	return e, nil
}

// remember ties the key to this request's task id, on disk, before the task is
// made: after a crash between the two the same key makes the same task.
func (o *Orchestrator) remember(ctx context.Context, who Who, key, digest string, r *TaskRequest) (*entry, error) {
	b, id := o.store.Bucket(store.Idempotency), keyOf(who.Identity, key)
	value, err := json.Marshal(idempotent{TaskID: r.TaskID, Body: digest})
	if err != nil {
		return nil, fmt.Errorf("encoding idempotency key: %w", err)
	}
	if _, err := b.Create(ctx, id, value); !errors.Is(err, store.ErrExists) {
		return nil, err
	}
	stored, err := b.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var earlier idempotent
	if err := json.Unmarshal(stored.Value, &earlier); err != nil {
		return nil, fmt.Errorf("decoding idempotency key: %w", err)
	}
	if earlier.Body != digest {
		return nil, fail(Conflict, "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used with another body")
	}
	r.TaskID = earlier.TaskID
	return o.find(who, earlier.TaskID), nil
}

func keyOf(identity, key string) string {
	sum := sha256.Sum256([]byte(identity + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

func digestOf(r TaskRequest) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encoding task request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (o *Orchestrator) admission(e *entry) Admission {
	if e == nil {
		return Admission{}
	}
	position, waits := o.queue.position(e.id)
	return o.admitted(e, position, !waits)
}

// admitted is the answer for a task at this position. Free says that a slot is
// there for the first in the queue.
func (o *Orchestrator) admitted(e *entry, position int, free bool) Admission {
	task, _ := e.view()
	starts := o.queue.starts(task.Priority, position)
	if !free {
		starts++ // the slot that the first one waits for
	}
	path := "/v2/tasks/" + e.id + "/events"
	return Admission{
		TaskID: e.id, QueuePosition: position, PredictedStartMS: o.pace.predict(starts),
		Streams:     Streams{SSE: path, SSEVerbose: path + "?verbose=true"},
		Preparation: Preparation{Steps: []string{}},
	}
}

func (o *Orchestrator) waits(e *entry, r TaskRequest) waiting {
	needs := Needs{Model: r.ModelRef, Workload: r.Workload, Engine: r.Engine}
	if r.Placement != nil {
		needs.Hint = *r.Placement
	}
	task, _ := e.view()
	// The record has the wall clock's time, which may be set; what is left of it
	// is counted on the monotonic one, and never more than was asked for.
	now := o.now()
	left := min(task.DeadlineAt.Sub(now), time.Duration(r.DeadlineMS)*time.Millisecond)
	w := waiting{id: e.id, owner: e.owner, class: r.Priority, deadline: now.Add(left), needs: needs}
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

// queueFull is the answer of a full queue under the policy reject.
func (o *Orchestrator) queueFull() *Error {
	o.metrics.backpressure.WithLabelValues("reject").Inc()
	e := fail(Busy, "QUEUE_FULL", "send it again after retry_after_ms")
	e.Policy, e.RetryAfter = "reject", o.pace.backoff()
	return e
}

func (o *Orchestrator) rejected(r TaskRequest, reason string, err error) error {
	engine := "any"
	for _, c := range o.nodes.candidates() {
		if r.Engine != "" && c.Engine == r.Engine { // a caller's text is not a label
			engine = o.metrics.engines.value(c.Engine)
		}
	}
	o.metrics.rejected.WithLabelValues(engine, reason).Inc()
	return err
}
