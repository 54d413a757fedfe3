package poolmanager

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/client"
)

const (
	// writeLimit bounds one write to a caller that does not read: its slot is
	// worth more than its patience.
	writeLimit = 30 * time.Second
	// commentEvery keeps proxies from closing a stream whose engine thinks.
	commentEvery = 15 * time.Second
)

// errDeadline is the cause of a task that took longer than its caller allowed.
var errDeadline = &adapter.Error{Class: "DEADLINE_EXCEEDED", Message: "the task's deadline passed"}

type dispatchInput struct {
	ID   string `path:"id" doc:"The pool's id"`
	Body client.DispatchRequest
}

// dispatch takes a slot before the answer begins: without one the caller gets a
// status, with one every failure is an event of the stream.
func (a *api) dispatch(ctx context.Context, in *dispatchInput) (*huma.StreamResponse, error) {
	if err := checkTask(in.Body); err != nil {
		return nil, a.refuse(ctx, err)
	}
	p, err := a.pools.find(in.ID)
	if err != nil {
		return nil, a.refuse(ctx, err)
	}
	taskCtx, inst, model, release, err := p.acquire(ctx, in.Body.ModelRef, in.Body.Workload)
	if err != nil {
		return nil, a.refuse(ctx, err)
	}
	// The request's end gives the slot back, whatever became of the answer.
	context.AfterFunc(ctx, release)
	return &huma.StreamResponse{Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		a.stream(taskCtx, w, inst, inst.target(model), in.Body, release)
	}}, nil
}

// stream is one loop: the header, the tokens as they come, one last event. The
// slot is free before the caller reads that event and sends the next task.
func (a *api) stream(ctx context.Context, w http.ResponseWriter, inst *instance, target adapter.Target, task client.DispatchRequest, release func()) {
	if task.DeadlineMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(task.DeadlineMS)*time.Millisecond, errDeadline)
		defer cancel()
	}
	out := newSSEWriter(w)
	if out.open() != nil {
		return
	}
	defer out.keepAlive(commentEvery)()
	begin, first := time.Now(), time.Time{}
	result, err := inst.template.Dialect.Run(ctx, a.env.http, target, task, func(e client.Event) error {
		if first.IsZero() {
			first = time.Now()
		}
		return out.send(e)
	})
	release()
	if err != nil {
		a.endWithError(ctx, out, inst, err)
		return
	}
	if first.IsZero() {
		first = begin
	}
	// A failed write means that the caller is gone; the slot is given back anyway.
	_ = out.send(client.Event{
		Type: client.EventEnd, TokensIn: result.TokensIn, TokensOut: result.TokensOut,
		DecodeMS: time.Since(first).Milliseconds(), FinishReason: result.FinishReason,
	})
}

// endWithError tells a caller that is still there why its task ended.
func (a *api) endWithError(ctx context.Context, out *sseWriter, inst *instance, err error) {
	event := client.Event{Type: client.EventError, Code: string(adapter.ClassReset), Message: "the task was ended", Engine: inst.template.Engine}
	var failed *adapter.Error
	switch {
	case errors.As(err, &failed):
		event.Code, event.Message = string(failed.Class), failed.Message
	case errors.Is(err, context.Canceled):
		return // the caller hung up
	default:
		a.env.log.WarnContext(ctx, "task ended", "error", err)
	}
	_ = out.send(event)
}
