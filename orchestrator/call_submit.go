package orchestrator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// CallRequest is a native call as a client sends it.
type CallRequest struct {
	Operation  nodeapi.Operation
	Object     string      // the id in its path; "" without one
	Query      string      // that of its URL, which goes to the engine as it is
	Header     http.Header // what travels with it is taken from here, see nodeapi.TravelsWithCall
	DeadlineMS int64       // for the first event; 0: the operator's
	Key        string      // its Idempotency-Key; "" for none
	Resumes    bool        // it goes on with an earlier call with that key, and makes no new task
	Body       io.Reader
}

// CallAdmission is what became of a call.
type CallAdmission struct {
	TaskID   string
	Stream   bool // the client asked for events
	Replayed bool // an earlier call with the same key has made the task, and it has ended
}

const (
	// maxCallHeaders and maxCallHeaderBytes bound the headers that travel with a call.
	maxCallHeaders     = 32
	maxCallHeaderBytes = 8 << 10
)

// SubmitCall reads a native call and takes it as a task. When it returns without an
// error both are on disk. An error of Body is returned as it is.
func (o *Orchestrator) SubmitCall(ctx context.Context, who Who, r CallRequest) (CallAdmission, error) {
	header, err := travelling(r.Header)
	if err != nil {
		return CallAdmission{}, err
	}
	streamed, err := readQuery(r.Operation, r.Query)
	if err != nil {
		return CallAdmission{}, err
	}
	if o.lifecycle.stopping.Load() {
		return CallAdmission{}, stopping()
	}
	if r.Resumes {
		if err := o.used(ctx, who, r.Key); err != nil {
			return CallAdmission{}, err
		}
	}
	task := TaskRequest{Workload: Native, DeadlineMS: r.DeadlineMS}
	if r.Operation.HasObject() {
		err = o.ofResponse(who, &task, r.Operation, r.Object)
	} else {
		err = o.readInto(ctx, who, &task, r.Operation, r.Body)
	}
	if err != nil {
		return CallAdmission{}, err
	}
	task.content.Keep = r.Key != ""
	task.call.Header, task.call.Query, task.call.Stream = header, r.Query, task.call.Stream || streamed
	task.call.Attribution = cmp.Or(attribution(who.Identity, r.Header, nil), task.call.Attribution)
	admission, isNew, err := o.submitCall(ctx, who, task, r.Key)
	return CallAdmission{TaskID: admission.TaskID, Stream: task.call.Stream, Replayed: err == nil && !isNew && o.hasEnded(who, admission.TaskID)}, err
}

// hasEnded reports whether a task has ended, as far as this replica has read. A task that
// runs is not replayed: its caller gets tokens that are still generated.
func (o *Orchestrator) hasEnded(who Who, id string) bool {
	e, err := o.find(who, id)
	return err == nil && e.view().State.Ended()
}

// readInto reads the body of a call into its task.
func (o *Orchestrator) readInto(ctx context.Context, who Who, task *TaskRequest, op nodeapi.Operation, body io.Reader) (err error) {
	if task.call, task.content, task.ModelRef, err = o.readCall(ctx, who, op, body); err != nil {
		return err
	}
	if err := o.follow(who, task); err != nil {
		o.content.held.Add(who.Identity, -task.content.Bytes)
		o.content.discard(ctx, task.content)
		return err
	}
	return nil
}

// ofResponse makes the task of a call that names a response and has no body.
func (o *Orchestrator) ofResponse(who Who, task *TaskRequest, op nodeapi.Operation, id string) error {
	before, err := o.responseTask(who, id)
	if err != nil {
		return err
	}
	task.ModelRef, task.Placement = before.ModelRef, pinned(before)
	task.call = &Call{Operation: op.Name, Object: id}
	return nil
}

// submitCall is submit for a task whose body was stored: it is removed where no record
// comes to name it.
func (o *Orchestrator) submitCall(ctx context.Context, who Who, r TaskRequest, key string) (Admission, bool, error) {
	admission, isNew, err := o.submit(ctx, who, r, key)
	o.content.held.Add(who.Identity, -r.content.Bytes)   // the task's entry counts it now
	if !isNew && !errors.Is(err, store.ErrUnavailable) { // else the record may be there
		o.content.discard(ctx, r.content)
	}
	return admission, isNew, err
}

// travelling gives the headers that go to the engine.
func travelling(sent http.Header) (http.Header, error) {
	var out http.Header
	size := 0
	for name, values := range sent {
		if !nodeapi.TravelsWithCall(name) || len(values) == 0 {
			continue
		}
		if out == nil {
			out = http.Header{}
		}
		out[name] = values
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if len(out) > maxCallHeaders || size > maxCallHeaderBytes {
		return nil, fail(Malformed, "HEADERS_TOO_LARGE", "the headers that go to the engine have over %d bytes", maxCallHeaderBytes)
	}
	return out, nil
}

// body opens the request's body for a dispatch.
func (o *Orchestrator) body(ctx context.Context, r *TaskRequest) (io.Reader, error) {
	c := r.call
	if c.Pieces == 0 {
		return bytes.NewReader(c.Body), nil
	}
	if r.content.Body == "" {
		return nil, fmt.Errorf("%w: its record names none: %w", errBodyLost, store.ErrNotFound)
	}
	return &bodyReader{ctx: ctx, o: o, at: r.content, of: c.Pieces}, nil
}
