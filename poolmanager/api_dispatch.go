package poolmanager

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// writeLimit bounds one write to a caller that does not read: it would hold a
	// slot.
	writeLimit = 30 * time.Second
	// commentEvery keeps proxies from closing a stream whose engine thinks.
	commentEvery = 15 * time.Second
)

// The causes of a task that took longer than its caller allowed.
var (
	errDeadline    = &adapter.Error{Class: "DEADLINE_EXCEEDED", Message: "the task's deadline passed before its first token (deadline_ms)"}
	errStreamLimit = &adapter.Error{Class: "STREAM_LIMIT_EXCEEDED", Message: "the answer took longer than its stream may (stream_limit_ms)"}
)

type dispatchInput struct {
	ID   string `path:"id" doc:"The pool's id"`
	Body nodeapi.DispatchRequest
}

// dispatch takes a slot before the answer begins: without a slot the caller gets a
// status, with one every failure is an event of the stream. A task whose engine has
// to be loaded waits for memory before the answer begins, so that it can still be
// refused by status; while the engine loads, the stream is open.
func (a *api) dispatch(ctx context.Context, in *dispatchInput) (*huma.StreamResponse, error) {
	if err := checkTask(in.Body); err != nil {
		return nil, err
	}
	p, err := a.pools.find(in.ID)
	if err != nil {
		return nil, err
	}
	l, err := p.acquire(ctx, in.Body.ModelRef, in.Body.Workload, time.Duration(in.Body.DeadlineMS)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	// The slot is released with the request, whether the answer succeeded or not.
	context.AfterFunc(ctx, l.release)
	if err := l.await(a.env.times.memoryWait); errors.Is(err, errNoMemory) || errors.Is(err, errModel) {
		l.release()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		a.stream(w, l, in.Body)
	}}, nil
}

// stream is one loop: the header, the engine's events as they arrive, one last
// event. The slot is free before the caller reads that event and sends the next
// task.
func (a *api) stream(w http.ResponseWriter, l *slot, task nodeapi.DispatchRequest) {
	out := &events{Stream: backend.NewStream(w, writeLimit)}
	defer out.KeepAlive(commentEvery)()
	engine := l.pool.wanted().template.Engine
	if err := l.await(0); err != nil {
		l.release()
		a.endWithError(l.ctx, out, engine, err)
		return
	}
	begin, first := time.Now(), time.Time{}
	result, err := l.inst.template.Dialect.Run(l.ctx, a.env.http, l.inst.target(l.name), task, func(e nodeapi.Event) error {
		if first.IsZero() {
			first = time.Now()
		}
		l.noteEvent(time.Duration(task.StreamLimitMS) * time.Millisecond)
		return out.send(e)
	})
	l.pool.recordOutcome(l, err)
	l.release()
	if err != nil {
		a.endWithError(l.ctx, out, engine, err)
		return
	}
	if first.IsZero() {
		first = begin
	}
	// A failed write means that the caller is gone; the slot is given back anyway.
	_ = out.send(nodeapi.Event{
		Type: nodeapi.EventEnd, TokensIn: result.TokensIn, TokensOut: result.TokensOut,
		DecodeMS: time.Since(first).Milliseconds(), FinishReason: result.FinishReason,
	})
}

// endWithError tells a caller that is still there why its task ended.
func (a *api) endWithError(ctx context.Context, out *events, engine string, err error) {
	event := nodeapi.Event{Type: nodeapi.EventError, Code: string(adapter.ClassReset), Message: "the task was ended", Engine: engine}
	var failed *adapter.Error
	switch {
	case errors.As(err, &failed):
		event.Code, event.Message, event.RetryAfterMS = string(failed.Class), failed.Message, failed.RetryAfter.Milliseconds()
	case errors.Is(err, context.Canceled):
		return // the caller hung up
	default:
		a.env.log.WarnContext(ctx, "task ended", "error", err)
	}
	_ = out.send(event)
}

// events writes the events of one task; only the task's goroutine sends.
type events struct {
	*backend.Stream
	buffer []byte
}

func (s *events) send(e nodeapi.Event) (err error) {
	if s.buffer, err = e.AppendSSE(s.buffer[:0]); err != nil {
		return err
	}
	return s.Write(s.buffer)
}
