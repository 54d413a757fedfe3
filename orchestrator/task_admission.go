package orchestrator

import (
	"time"
)

// Admission is the answer to a task that was taken.
type Admission struct {
	TaskID           string      `json:"task_id"`
	QueuePosition    int         `json:"queue_position" doc:"0-based, in its class"`
	PredictedStartMS int64       `json:"predicted_start_ms"`
	PredictedEndMS   int64       `json:"predicted_end_ms,omitempty" doc:"Of a request with expected_tokens, from the speed of the newest answers; absent before there is one"`
	BackoffMS        int64       `json:"backoff_ms" doc:"How long to wait before sending the next one; 0 when there is room"`
	Streams          Streams     `json:"streams"`
	Preparation      Preparation `json:"preparation"`

	Replayed bool `json:"-"` // an earlier request with the same key has made the task
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
	a := Admission{
		TaskID: e.id, QueuePosition: position, PredictedStartMS: o.scheduler.pace.predict(starts),
		Streams:     Streams{SSE: path, SSEVerbose: path + "?verbose=true"},
		Preparation: Preparation{Steps: []string{}},
	}
	e.mu.Lock()
	expected := e.waits.expected
	e.mu.Unlock()
	if takes := o.scheduler.pace.answer(expected); takes > 0 {
		a.PredictedEndMS = a.PredictedStartMS + takes
	}
	return a
}

// waitsFor derives from a task what the queue needs.
func (o *Orchestrator) waitsFor(task Task, r TaskRequest) waiting {
	needs := r.needs(r.ModelRef)
	// The record has the wall clock's time, which may be set; what is left is counted
	// on the monotonic clock, and is never more than the request's.
	now := o.now()
	left := min(task.DeadlineAt.Sub(now), time.Duration(r.DeadlineMS)*time.Millisecond)
	w := waiting{id: task.TaskID, owner: task.Owner, class: task.Priority, deadline: now.Add(left), limit: time.Duration(r.StreamLimitMS) * time.Millisecond, needs: needs, key: needs.key()}
	w.expected = min(r.ExpectedTokens, r.MaxTokens)
	if r.KVHint != "cold" && r.Determinism != strict {
		w.session = task.SessionID
	}
	return w
}

// needs is what the task demands of a pool, under that name of its model.
func (r *TaskRequest) needs(model string) Needs {
	n := Needs{Model: model, Workload: r.Workload, Engine: r.Engine, Context: int64(r.Ctx), Strict: r.Determinism == strict}
	if r.Placement != nil {
		n.Hint = *r.Placement
	}
	n.Protocol, n.Attribution, n.Models = r.protocol(), r.attribution(), r.models
	return n
}

// storeFull is the answer when the disk is full.
func (o *Orchestrator) storeFull(err error) *Error {
	o.log.Error("admission refused: store full", "error", err)
	return fail(Unavailable, "STORE_FULL", "the disk of the state directory is full; an operator has to free space")
}

// queueFull is the answer when the queue takes no task of this caller.
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
