package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// errOperation says that no protocol has such an operation.
var errOperation = errors.New("there is no such operation")

// callInput is a native call: its query is that of [nodeapi.CallRequest].
type callInput struct {
	ID            string `path:"id" doc:"The pool's id"`
	Operation     string `path:"operation" doc:"The engine's route: chat, completions, responses, messages, embeddings, …"`
	TaskID        string `query:"task_id" maxLength:"64"`
	Object        string `query:"object" maxLength:"256" doc:"The id in the operation's path"`
	Query         string `query:"query" maxLength:"2048" doc:"The query of the engine's route, as the client sent it"`
	ModelRef      string `query:"model_ref" maxLength:"256" doc:"What the pool calls the model"`
	AnswerModel   string `query:"answer_model" maxLength:"256" doc:"What the answer calls it"`
	Stream        bool   `query:"stream" doc:"The request asks for events"`
	ShowUsage     bool   `query:"show_usage" doc:"The client wants the usage of a streamed chat or completion"`
	Places        string `query:"places" required:"true" maxLength:"256" doc:"Where in the body what may be replaced is: the values of model, stream_options and its include_usage, and what follows the first brace"`
	DeadlineMS    int64  `query:"deadline_ms" minimum:"0" maximum:"86400000" doc:"For the wait and the first token"`
	StreamLimitMS int64  `query:"stream_limit_ms" minimum:"0" maximum:"86400000" doc:"For the answer, from its first token on; 0 sets none"`

	http huma.Context
}

// Resolve implements huma.Resolver: the body is read as it comes.
func (in *callInput) Resolve(ctx huma.Context) []error {
	in.http = ctx
	return nil
}

var _ huma.Resolver = (*callInput)(nil)

// addCall defines the route of native calls. Its body is not huma's to read.
func (a *api) addCall() {
	op := huma.Operation{
		Method: "POST", Path: "/pools/{id}/call/{operation}", OperationID: "call", Summary: "Run one native call and stream the engine's answer in frames",
		RequestBody: &huma.RequestBody{
			Description: "The engine's own request, sent on as it comes",
			Content:     map[string]*huma.MediaType{"application/octet-stream": {}},
		},
		Responses: map[string]*huma.Response{"200": {
			Description: "Frames: a byte for the kind, four for the length of the payload, and the payload",
			Content:     map[string]*huma.MediaType{nodeapi.CallContentType: {}},
		}},
	}
	add(a, op, authmin.ScopeDispatch, a.call)
}

// nativeCall is a call that has its slot.
type nativeCall struct {
	in   *callInput
	call adapter.Call
	body *callBody
	slot *slot
}

// call takes a slot before the answer begins, as a dispatch does. Nor does the answer
// begin before the request is here: until then it is refused by status.
func (a *api) call(ctx context.Context, in *callInput) (*huma.StreamResponse, error) {
	operation, ok := nodeapi.FindOperation(in.Operation)
	if !ok {
		return nil, errOperation
	}
	p, err := a.pools.find(in.ID)
	if err != nil {
		return nil, err
	}
	spec := p.wanted()
	t := spec.template
	if err := t.speaks(operation.Protocol); err != nil {
		return nil, err
	}
	r, w := humago.Unwrap(in.http)
	places, err := in.check(operation, r, spec)
	if err != nil {
		return nil, err
	}
	// Through a proxy a request may still come while the engine refuses it.
	_ = http.NewResponseController(w).EnableFullDuplex()
	n := &nativeCall{in: in, call: in.adapted(operation, r, t)}
	if n.body, err = newCallBody(w, r, a.env.times.bodyLimit, spec.rules, places); err != nil {
		n.body.drain()
		return nil, err
	}
	n.slot, err = p.acquireFor(ctx, in.ModelRef, time.Duration(in.DeadlineMS)*time.Millisecond, func(t Template) error { return t.speaks(operation.Protocol) })
	if err != nil {
		n.body.drain()
		return nil, err
	}
	// The slot is released with the request, whether the answer succeeded or not.
	context.AfterFunc(ctx, n.slot.release)
	if err := n.slot.await(a.env.times.memoryWait); errors.Is(err, errNoMemory) || errors.Is(err, errModel) {
		n.slot.release()
		n.body.drain()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(huma.Context) { a.streamCall(w, r, n) }}, nil
}

// check refuses what no call can be.
func (in *callInput) check(operation nodeapi.Operation, r *http.Request, spec launchSpec) (nodeapi.Places, error) {
	most := spec.template.requestBytes()
	switch {
	case r.ContentLength < 0:
		return nodeapi.Places{}, fmt.Errorf("%w: a call wants a Content-Length", errTask)
	case r.ContentLength > most:
		return nodeapi.Places{}, fmt.Errorf("%w: send at most %d bytes", errBodySize, most)
	case (in.Object != "") != operation.HasObject() || in.Object != "" && !adapter.ValidObject(in.Object):
		return nodeapi.Places{}, fmt.Errorf("%w: object is the id in the path of %s", errTask, operation.Path)
	case r.ContentLength > 0 && operation.Method != http.MethodPost:
		return nodeapi.Places{}, fmt.Errorf("%w: %s has no body", errTask, operation.Name)
	}
	if err := spec.rules.checkQuery(in.Query); err != nil {
		return nodeapi.Places{}, err
	}
	places, err := nodeapi.ParsePlaces(in.Places, r.ContentLength)
	if err != nil {
		return places, fmt.Errorf("%w: %w", errTask, err)
	}
	return places, nil
}

// adapted is the call as the engine gets it, but for its body.
func (in *callInput) adapted(operation nodeapi.Operation, r *http.Request, t Template) adapter.Call {
	c := adapter.Call{
		Operation: operation, Object: in.Object, Query: in.Query, Header: http.Header{}, Stream: in.Stream, Model: in.AnswerModel, MaxAnswer: t.AnswerBytes,
	}
	for name, values := range r.Header {
		if nodeapi.TravelsWithCall(name) {
			c.Header[name] = values
		}
	}
	c.HideUsage = in.wantsUsage(operation, t) && !in.ShowUsage
	return c
}

// wantsUsage reports whether the engine is asked for the usage of a stream.
func (in *callInput) wantsUsage(operation nodeapi.Operation, t Template) bool {
	return in.Stream && t.StreamUsage && (operation.Protocol == nodeapi.Chat || operation.Protocol == nodeapi.Completions)
}

// streamCall is one loop: what the engine says as it comes, and one last frame. The
// slot is free before the caller reads that frame and sends the next call.
func (a *api) streamCall(w http.ResponseWriter, r *http.Request, n *nativeCall) {
	s := n.slot
	out := backend.NewStreamOf(w, nodeapi.CallContentType, aliveFrame, writeLimit)
	defer keepAlive(out, n.body)()
	err := s.await(0)
	var answer adapter.Answer
	if err == nil {
		answer, err = a.runCall(out, n)
		s.pool.recordOutcome(s, err)
	}
	s.release()
	if refused := n.body.refused(); refused != nil && r.Context().Err() == nil {
		err = refused
	}
	if err != nil {
		a.endCallWithError(w, r, out, n, err, answer.End)
		return
	}
	frames, err := nodeapi.AppendJSONFrame(answer.Rest, nodeapi.FrameEnd, answer.End)
	if err == nil {
		// A failed write means that the caller is gone; the slot is given back anyway.
		_ = out.Write(frames)
	}
}

// runCall has the engine do the call.
func (a *api) runCall(out *backend.Stream, n *nativeCall) (adapter.Answer, error) {
	s := n.slot
	if n.body.size > 0 {
		edits := editsOf(n.body.places, s.name, n.in.wantsUsage(n.call.Operation, s.inst.template))
		n.body.edit.edits = edits
		n.call.Body, n.call.BodyBytes, n.call.Rewind = n.body.reader(), n.body.size+growth(edits), n.body.rewind
	}
	limit := time.Duration(n.in.StreamLimitMS) * time.Millisecond
	return s.inst.target(s.name).Call(s.ctx, a.env.http, n.call, func(frames []byte, progress bool) error {
		if progress {
			s.noteEvent(limit)
		}
		return out.Write(frames)
	})
}
