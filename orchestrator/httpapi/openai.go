package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

type openaiInput[T any] struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255"`
	DeadlineMS     int64  `header:"X-Deadline-Ms" minimum:"1" maximum:"86400000" doc:"How long the first token may take, waiting included"`
	Body           T
}

func (a *API) openaiRoutes() {
	route(a, authmin.ScopeInfer, http.MethodGet, "/v1/models", http.StatusOK, "The models (OpenAI)", a.models)
	whole := a.answers("application/json", a.schemaOf(reflect.TypeFor[openaiAnswer]()))
	streamed := a.answers("text/event-stream", a.chunks())
	route(a, authmin.ScopeInfer, http.MethodPost, "/v1/chat/completions", http.StatusOK, "Chat (OpenAI)", a.chat, whole, streamed)
	route(a, authmin.ScopeInfer, http.MethodPost, "/v1/completions", http.StatusOK, "Completion (OpenAI)", a.completion, whole, streamed)
	a.embeddingRoutes()
}

func (a *API) models(context.Context, *none) (*body[openaiModels], error) {
	list := openaiModels{Object: "list", Data: []openaiModel{}}
	for _, m := range a.o.ModelStatuses() {
		list.Data = append(list.Data, openaiModel{ID: m.Name, Object: "model", OwnedBy: "llorch", Ready: m.Ready, Reason: m.Reason})
	}
	return &body[openaiModels]{list}, nil
}

func (a *API) chat(ctx context.Context, in *openaiInput[ChatRequest]) (*huma.StreamResponse, error) {
	task, err := in.Body.task()
	if err != nil {
		return nil, err
	}
	task.DeadlineMS = in.DeadlineMS
	return a.openai(ctx, task, in.IdempotencyKey, in.Body.options("chat.completion"), text)
}

func (a *API) completion(ctx context.Context, in *openaiInput[CompletionRequest]) (*huma.StreamResponse, error) {
	task, err := in.Body.task()
	if err != nil {
		return nil, err
	}
	task.DeadlineMS = in.DeadlineMS
	return a.openai(ctx, task, in.IdempotencyKey, in.Body.options("text_completion"), text)
}

// openai runs the request as a task, in the same queue and under the same
// limits, and hands it to tell. When the client disconnects, or is answered that it may
// retry, the task is canceled, unless it has an Idempotency-Key: then a retry gets the
// same answer.
func (a *API) openai(ctx context.Context, task orchestrator.TaskRequest, key string, opts openaiOptions, tell teller) (*huma.StreamResponse, error) {
	release, err := a.takeStream(ctx)
	if err != nil {
		return nil, err
	}
	admission, err := a.o.Submit(ctx, who(ctx), task, key)
	if err != nil {
		release()
		return nil, err
	}
	reader, err := a.o.Follow(who(ctx), admission.TaskID, 0)
	if err != nil {
		release()
		a.abandon(ctx, admission.TaskID, key)
		return nil, err
	}
	c := &conversation{a: a, reader: reader, opts: opts, id: admission.TaskID, created: time.Now().Unix()}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer release()
		r, w := humago.Unwrap(hc)
		w.Header().Set("X-Task-Id", admission.TaskID)
		ctx := r.Context()
		tell(ctx, c, w, r)
		if c.again { // the client gets its answer before the cancel, which may take longer than a stop waits
			_ = http.NewResponseController(w).Flush()
		}
		if c.again || ctx.Err() != nil {
			a.abandon(ctx, admission.TaskID, key)
		}
	}}, nil
}

// abandon cancels the task of a client that has disconnected.
func (a *API) abandon(ctx context.Context, taskID, key string) {
	if key != "" {
		return
	}
	if err := a.o.Cancel(context.WithoutCancel(ctx), who(ctx), taskID); err != nil {
		a.log.WarnContext(ctx, "could not cancel task after its client disconnected", "task_id", taskID, "error", err, "correlation_id", authmin.CorrelationID(ctx))
	}
}

// teller writes the answer of a task.
type teller func(ctx context.Context, c *conversation, w http.ResponseWriter, r *http.Request)

// text answers with the tokens, as a stream or when the task has ended.
func text(ctx context.Context, c *conversation, w http.ResponseWriter, r *http.Request) {
	if c.opts.stream {
		c.stream(ctx, newSSE(w, c.a.opts.SlowReader))
		return
	}
	c.whole(ctx, w, r)
}

// conversation is one OpenAI call that runs as a task.
type conversation struct {
	a       *API
	reader  *orchestrator.Reader
	opts    openaiOptions
	id      string
	created int64
	again   bool // the answer said that the client may retry
}

// ended is how a task's stream ended.
type ended struct {
	usage  openaiUsage
	reason string
	failed *Problem
}

// each calls f for every event but the last, and says how it ended. With a
// heartbeat, idle is called while nothing happens.
func (c *conversation) each(ctx context.Context, idle func() error, f func(orchestrator.Event) error) (ended, error) {
	for {
		events, err := c.reader.Wait(ctx, c.a.opts.Heartbeat)
		if err == nil && len(events) == 0 {
			err = idle()
		}
		if err != nil {
			return ended{}, err
		}
		for _, ev := range events {
			if ev.Type.Terminal() {
				return endOf(ev)
			}
			if err := f(ev); err != nil {
				return ended{}, err
			}
		}
	}
}

// tokens calls f with each token event.
func tokens(f func(orchestrator.Event) error) func(orchestrator.Event) error {
	return func(ev orchestrator.Event) error {
		switch ev.Type {
		case orchestrator.EventGap:
			return errGap
		case orchestrator.EventToken:
			return f(ev)
		}
		return nil
	}
}

func endOf(ev orchestrator.Event) (ended, error) {
	var d struct {
		TokensIn     int    `json:"tokens_in"`
		TokensOut    int    `json:"tokens_out"`
		FinishReason string `json:"finish_reason"`
		Code         string `json:"code"`
		Message      string `json:"message"`
	}
	if err := json.Unmarshal(ev.Data, &d); err != nil {
		return ended{}, err
	}
	switch ev.Type {
	case orchestrator.EventError:
		status := http.StatusBadGateway
		if d.Code == "ENGINE_BUSY" {
			status = http.StatusServiceUnavailable
		}
		return ended{failed: forGood(newProblem(status, d.Code, d.Message))}, nil
	case orchestrator.EventCanceled:
		return ended{failed: forGood(newProblem(http.StatusConflict, "CANCELED", "the task was canceled"))}, nil
	}
	reason := orchestrator.FinishReason(d.FinishReason)
	if reason == "" { // in the record of an older version
		return ended{failed: forGood(newProblem(http.StatusBadGateway, "ENGINE_ERROR", "the engine did not end the answer as one that is whole"))}, nil
	}
	return ended{usage: openaiUsage{d.TokensIn, d.TokensOut, d.TokensIn + d.TokensOut}, reason: reason}, nil
}

// forGood tells OpenAI's clients not to repeat a call by themselves, as they do with
// these statuses, when the same task would fail again or was canceled.
func forGood(p *Problem) *Problem {
	switch p.Code {
	case "WORKER_RESET", "WORKER_UNAVAILABLE", "ENGINE_UNAVAILABLE", "ENGINE_BUSY":
	default:
		p.Header.Set("X-Should-Retry", "false")
	}
	return p
}

// whole answers when the task has ended.
func (c *conversation) whole(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	end, err := c.each(ctx, func() error { return nil }, tokens(func(ev orchestrator.Event) error {
		var t orchestrator.TokenData
		err := json.Unmarshal(ev.Data, &t)
		text.WriteString(t.Text)
		return err
	}))
	c.answer(w, r, c.opts.answer(c, text.String(), end), end, err)
}

// stream answers token by token. An incomplete answer ends with an error chunk: many
// clients take any proper end for [DONE].
func (c *conversation) stream(ctx context.Context, s *sse) {
	defer s.count(c.reader)
	if first := c.opts.first(c); first == nil {
		_ = s.Open()
	} else if s.data(first) != nil {
		return
	}
	idle := s.Alive
	var end ended
	before, after, err := c.opts.chunk(c)
	if err == nil {
		end, err = c.each(ctx, idle, tokens(func(ev orchestrator.Event) error { return s.chunk(before, ev.Text(), after) }))
	}
	if s.Err() != nil {
		return
	}
	if err != nil {
		end.failed = c.failure(ctx, err)
	}
	if end.failed != nil {
		_ = s.data(map[string]any{"error": finished(ctx, "/v1/", end.failed).OpenAI})
		return
	}
	if s.data(c.opts.last(c, end)) != nil {
		return
	}
	if c.opts.usage && s.data(c.opts.total(c, end)) != nil {
		return
	}
	_ = s.chunk([]byte("[DONE]"), nil, nil)
}
