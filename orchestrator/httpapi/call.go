package httpapi

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// DefaultCommit is how long the status of a streamed call waits for the engine's:
	// longer than most prompts take, and shorter than proxies wait for a header.
	DefaultCommit = 10 * time.Second
	// MaxCommit is the most that may be set.
	MaxCommit = 10 * time.Minute
	// bodyPause is how long the body of a call may pause, and bodyLimit how long all of
	// it may take: 32 MiB at 2 Mbit/s.
	bodyPause = 10 * time.Second
	bodyLimit = 2 * time.Minute
)

// callInput is what is read of a native call besides its body.
type callInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same key with the same body gives the same answer for 24 h"`
	DeadlineMS     int64  `header:"X-Deadline-Ms" minimum:"1" maximum:"86400000" doc:"How long the first event may take, waiting included"`
	LastEventID    string `header:"Last-Event-ID" maxLength:"20" pattern:"^[0-9]*$" doc:"With an Idempotency-Key: go on after this event"`
	Encoding       string `header:"Content-Encoding" doc:"Not served: bodies are read as they are"`

	object string // the id in the path; "" without one
}

// engines describes a body that is an engine's.
var engines = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "As the engine defines it"}

// engineEvents describes a stream that is an engine's, as the list of its events.
var engineEvents = &huma.Schema{Type: huma.TypeArray, Description: "The engine's events, byte for byte",
	Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}

// callRoutes defines the engines' own protocols.
func (a *API) callRoutes() {
	for _, protocol := range nodeapi.Protocols() {
		for _, op := range nodeapi.Operations(protocol) {
			if op.HasObject() {
				route(a, authmin.ScopeInfer, op.Method, op.Path, http.StatusOK, "A response that an engine keeps", a.objectCall(op),
					a.answers("application/json", engines), a.answers("text/event-stream", engineEvents))
				continue
			}
			route(a, authmin.ScopeInfer, op.Method, op.Path, http.StatusOK, "The engine's own request, protocol "+string(protocol), a.call(op),
				a.answers("application/json", engines), a.answers("text/event-stream", engineEvents))
			// Described afterwards, or huma would read the body.
			a.base.Huma().OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{
				Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: engines}}}
		}
	}
}

// objectInput is a call on a response by its id.
type objectInput struct {
	ID         string `path:"id" maxLength:"256"`
	DeadlineMS int64  `header:"X-Deadline-Ms" minimum:"1" maximum:"86400000"`
}

// objectCall is call for the operations that name a response and have no body.
func (a *API) objectCall(op nodeapi.Operation) func(context.Context, *objectInput) (*huma.StreamResponse, error) {
	return func(ctx context.Context, in *objectInput) (*huma.StreamResponse, error) {
		return a.streamed(ctx, op, &callInput{DeadlineMS: in.DeadlineMS, object: in.ID}, 0)
	}
}

// call runs an engine's own request as a task, in the same queue and under the same
// limits. A caller that leaves, or is told to send it again, cancels it, unless it gave a
// key: then it may come back for the same answer.
func (a *API) call(op nodeapi.Operation) func(context.Context, *callInput) (*huma.StreamResponse, error) {
	return func(ctx context.Context, in *callInput) (*huma.StreamResponse, error) {
		after, err := in.after()
		if err != nil {
			return nil, err
		}
		return a.streamed(ctx, op, in, after)
	}
}

// streamed takes a place for the call and gives what serves it.
func (a *API) streamed(ctx context.Context, op nodeapi.Operation, in *callInput, after uint64) (*huma.StreamResponse, error) {
	release, err := a.takeStream(ctx)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer release()
		r, w := humago.Unwrap(hc)
		if err := a.serveCall(w, r, op, in, after); err != nil {
			a.base.WriteProblem(w, r, a.problem(r.Context(), err))
		}
	}}, nil
}

// after is the id of the event after which the answer goes on.
func (in *callInput) after() (uint64, error) {
	switch after, err := strconv.ParseUint("0"+in.LastEventID, 10, 64); {
	case in.Encoding != "" && !strings.EqualFold(in.Encoding, "identity"): // RFC 9110 §8.4.1: in any case
		return 0, newProblem(http.StatusUnsupportedMediaType, "CONTENT_ENCODING", "send the body without a Content-Encoding")
	case err != nil || after == math.MaxUint64:
		return 0, newProblem(http.StatusUnprocessableEntity, "INVALID_EVENT_ID", "Last-Event-ID is the id of an event of this stream")
	case after > 0 && in.IdempotencyKey == "":
		return 0, newProblem(http.StatusBadRequest, "KEY_MISSING", "Last-Event-ID goes on with an earlier call: send its Idempotency-Key, too")
	default:
		return after, nil
	}
}

// readOnce refuses a header of which only the first value would be read.
func readOnce(h http.Header) error {
	if len(h["Content-Encoding"]) > 1 {
		return newProblem(http.StatusUnsupportedMediaType, "CONTENT_ENCODING", "send the body without a Content-Encoding")
	}
	for _, name := range []string{"Idempotency-Key", "Last-Event-Id", "X-Deadline-Ms"} {
		if len(h[name]) > 1 {
			return newProblem(http.StatusUnprocessableEntity, "INVALID_FIELD", "send the header "+name+" once")
		}
	}
	return nil
}

// serveCall takes the call and answers it. An error is the answer if it has not begun.
func (a *API) serveCall(w http.ResponseWriter, r *http.Request, op nodeapi.Operation, in *callInput, after uint64) error {
	ctx := r.Context()
	if err := readOnce(r.Header); err != nil {
		return err
	}
	admission, err := a.o.SubmitCall(ctx, who(ctx), orchestrator.CallRequest{
		Operation: op, Object: in.object, Query: r.URL.RawQuery, Header: r.Header, DeadlineMS: in.DeadlineMS, Key: in.IdempotencyKey, Resumes: after > 0, Body: newBody(w, r),
	})
	if err != nil {
		return err
	}
	w.Header().Set("X-Task-Id", admission.TaskID)
	if admission.Replayed {
		w.Header().Set("X-Task-Replayed", "true")
	}
	reader, err := a.o.Follow(who(ctx), admission.TaskID, 0)
	if err != nil {
		a.abandon(ctx, admission.TaskID, in.IdempotencyKey)
		return err
	}
	c := &callAnswer{a: a, w: w, r: r, dialect: dialectOf(op), reader: reader, taskID: admission.TaskID, stream: admission.Stream, after: after, ids: in.IdempotencyKey != ""}
	defer a.o.Answering()()
	err = c.run(ctx)
	if c.again || ctx.Err() != nil {
		a.abandon(ctx, admission.TaskID, in.IdempotencyKey)
	}
	return err
}

// callBody reads the body of a call: it may take long, and must go on.
type callBody struct {
	control *http.ResponseController
	from    io.Reader
	end     time.Time
}

func newBody(w http.ResponseWriter, r *http.Request) *callBody {
	return &callBody{http.NewResponseController(w), r.Body, time.Now().Add(bodyLimit)}
}

// Read is io.Reader. A body that does not go on is the client's error.
func (b *callBody) Read(p []byte) (int, error) {
	until := time.Now().Add(bodyPause)
	if until.After(b.end) {
		until = b.end
	}
	_ = b.control.SetReadDeadline(until) // a writer that cannot has no socket
	n, err := b.from.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = newProblem(http.StatusRequestTimeout, "BODY_TIMEOUT", "send the body without a pause of 10 seconds, and within 2 minutes")
	case err != nil:
		err = newProblem(http.StatusBadRequest, "BODY_CUT", "the body ended early; send it again")
	}
	return n, err
}

// abandon cancels a task whose caller has left.
func (a *API) abandon(ctx context.Context, taskID, key string) {
	if key != "" {
		return
	}
	if err := a.o.Cancel(context.WithoutCancel(ctx), who(ctx), taskID); err != nil {
		a.log.WarnContext(ctx, "a task whose caller has left goes on", "task_id", taskID, "error", err, "correlation_id", authmin.CorrelationID(ctx))
	}
}
