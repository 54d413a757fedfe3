package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
)

type none struct{}

// body is an answer with nothing but a JSON body.
type body[T any] struct{ Body T }

type taskID struct {
	ID string `path:"id" maxLength:"64"`
}

type submitInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same key with the same body gives the same task for 24 h"`
	Body           orchestrator.TaskRequest
}

type listInput struct {
	State  string `query:"state" enum:"queued,running,completed,failed,canceled"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"64"`
}

type eventsInput struct {
	ID          string `path:"id" maxLength:"64"`
	Verbose     bool   `query:"verbose" doc:"With metrics events"`
	LastEventID string `header:"Last-Event-ID" maxLength:"20" pattern:"^[0-9]*$" doc:"Resume after this event"`
}

func (a *API) taskRoutes() {
	route(a, authmin.ScopeInfer, http.MethodPost, "/v2/tasks", http.StatusAccepted, "Take a task", a.submit, a.received)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v2/tasks", http.StatusOK, "List the caller's tasks, newest first", a.listTasks)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v2/tasks/{id}", http.StatusOK, "A task's record", a.task)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v2/tasks/{id}/events", http.StatusOK, "A task's events, as they happen", a.events,
		a.answers("text/event-stream", a.taskEvents()), noContent("Last-Event-ID is the last one there is"))
	route(a, authmin.ScopeInfer, http.MethodDelete, "/v2/tasks/{id}", http.StatusNoContent, "Cancel a task and erase its content", a.eraseTask)
	route(a, authmin.ScopeInfer, http.MethodPost, "/v2/tasks/{id}/cancel", http.StatusNoContent, "Cancel a task", a.cancel)
}

// admitted is the answer to a task. A gateway that counts tokens leaves out a replay.
type admitted struct {
	Replayed string `header:"X-Task-Replayed" enum:"true" doc:"An earlier request with the same Idempotency-Key has made the task"`
	Body     orchestrator.Admission
}

func (a *API) submit(ctx context.Context, in *submitInput) (*admitted, error) {
	if err := in.Body.Unclear(); err != nil {
		return nil, err
	}
	if received, ok := ctx.Value(receivedKey{}).(*orchestrator.Received); ok && in.Body.Native != nil {
		in.Body.Native.Use(received)
	}
	if in.Body.ModelRef == "" && in.Body.Native == nil {
		p := newProblem(http.StatusUnprocessableEntity, "INVALID_FIELD", "The member errors names each place.")
		p.Errors = []backend.FieldError{{Location: "body", Message: "expected required property model_ref to be present"}}
		return nil, p
	}
	admission, err := a.o.Submit(ctx, who(ctx), in.Body, in.IdempotencyKey)
	out := &admitted{Body: admission}
	if admission.Replayed {
		out.Replayed = "true"
	}
	return out, err
}

func (a *API) listTasks(ctx context.Context, in *listInput) (*body[orchestrator.Page], error) {
	page, err := a.o.Tasks(who(ctx), orchestrator.State(in.State), in.Limit, in.Cursor)
	return &body[orchestrator.Page]{page}, err
}

func (a *API) task(ctx context.Context, in *taskID) (*body[orchestrator.Task], error) {
	task, err := a.o.Task(who(ctx), in.ID)
	return &body[orchestrator.Task]{task}, err
}

func (a *API) cancel(ctx context.Context, in *taskID) (*none, error) {
	return nil, a.o.Cancel(ctx, who(ctx), in.ID)
}

func (a *API) eraseTask(ctx context.Context, in *taskID) (*none, error) {
	return nil, a.o.Erase(ctx, who(ctx), in.ID)
}

func (a *API) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	after, err := strconv.ParseUint("0"+in.LastEventID, 10, 64)
	if err != nil || after == math.MaxUint64 {
		return nil, newProblem(http.StatusUnprocessableEntity, "INVALID_EVENT_ID", "Last-Event-ID is the id of an event of this stream")
	}
	reader, err := a.o.Follow(who(ctx), in.ID, after)
	if errors.Is(err, orchestrator.ErrNothingLeft) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
	}
	if err != nil {
		return nil, err
	}
	release, err := a.takeStream(ctx)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer release()
		r, w := humago.Unwrap(ctx)
		s := newSSE(w, a.opts.SlowReader)
		_ = s.Open()
		if r.Method == http.MethodHead {
			return // HEAD has no body: it would only wait for the end of the task
		}
		if err := s.follow(r.Context(), reader, in.Verbose, a.opts.Heartbeat); s.Err() == nil {
			a.unreadable(r.Context(), in.ID, err)
		}
	}}, nil
}

// takeStream takes one of the places for open streams and calls in flight for the
// caller. A tenth of them is kept for callers that have few.
func (a *API) takeStream(ctx context.Context) (release func(), err error) {
	identity := who(ctx).Identity
	if !a.streams.Take(identity) {
		return nil, &orchestrator.Error{Kind: orchestrator.Busy, Code: "TOO_MANY_STREAMS", Hint: "too many event streams and calls are open, or too many of yours; close some"}
	}
	return func() { a.streams.Add(identity, -1) }, nil
}
