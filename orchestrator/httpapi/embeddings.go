package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

func (a *API) embeddingRoutes() {
	route(a, authmin.ScopeInfer, http.MethodPost, "/v1/embeddings", http.StatusOK, "Embeddings (OpenAI)", a.embeddings,
		a.answers("application/json", a.schemaOf(reflect.TypeFor[openaiEmbeddings]())))
}

// embeddings runs the request as a task, as the other OpenAI routes do.
func (a *API) embeddings(ctx context.Context, in *openaiInput[EmbeddingRequest]) (*huma.StreamResponse, error) {
	task, err := in.Body.task()
	if err != nil {
		return nil, err
	}
	task.DeadlineMS = in.DeadlineMS
	return a.openai(ctx, task, in.IdempotencyKey, openaiOptions{object: "list", model: in.Body.Model},
		func(ctx context.Context, c *conversation, w http.ResponseWriter, r *http.Request) {
			c.vectors(ctx, w, r, len(task.Inputs), in.Body.EncodingFormat)
		})
}

// vectors answers when every input has its vector, in the order of the inputs.
func (c *conversation) vectors(ctx context.Context, w http.ResponseWriter, r *http.Request, inputs int, format string) {
	answer := openaiEmbeddings{Object: "list", Data: make([]openaiEmbedding, inputs), Model: c.opts.model}
	end, err := c.each(ctx, func() error { return nil }, func(ev orchestrator.Event) error {
		if ev.Type == orchestrator.EventGap {
			return errGap
		}
		if ev.Type != orchestrator.EventEmbedding {
			return nil
		}
		var d struct {
			Index  int             `json:"i"`
			Vector json.RawMessage `json:"embedding"`
		}
		if err := json.Unmarshal(ev.Data, &d); err != nil {
			return err
		}
		vector, err := encoded(d.Vector, format)
		if err != nil || d.Index < 0 || d.Index >= inputs {
			return fmt.Errorf("reading vector %d: %w", d.Index, errors.Join(err, errGap))
		}
		answer.Data[d.Index] = openaiEmbedding{Object: "embedding", Index: d.Index, Embedding: vector}
		return nil
	})
	answer.Usage = embeddingUsage{end.usage.PromptTokens, end.usage.PromptTokens}
	c.answer(w, r, answer, end, err)
}

// errGap ends an answer of which events were lost.
var errGap = errors.New("events of the task were lost")

// failure is the answer when the task's events can no longer be read.
func (c *conversation) failure(ctx context.Context, err error) *Problem {
	switch {
	case errors.Is(err, errGap):
		return newProblem(http.StatusBadGateway, "EVENTS_GONE", "the answer is no longer there as a whole; send it again with another Idempotency-Key")
	case errors.Is(err, orchestrator.ErrStopping):
		c.again = true
		p := newProblem(http.StatusServiceUnavailable, "STOPPING", "the orchestrator is stopping; send it again")
		p.Header.Set("Retry-After", "1") // another replica takes it, or this one after its restart
		return p
	}
	c.a.unreadable(ctx, c.id, err)
	return newProblem(http.StatusInternalServerError, "INTERNAL", "a defect; the log has it under this correlation_id")
}

// answer sends an answer in one piece, or its error.
func (c *conversation) answer(w http.ResponseWriter, r *http.Request, answer any, end ended, err error) {
	if err != nil {
		end.failed = c.failure(r.Context(), err)
	}
	kind, status := "application/json", http.StatusOK
	text, err := json.Marshal(answer)
	if err != nil && end.failed == nil {
		end.failed = c.failure(r.Context(), fmt.Errorf("encoding the answer: %w", err))
	}
	if end.failed != nil {
		kind, status = "application/problem+json", end.failed.Status
		maps.Copy(w.Header(), end.failed.Header)
		if text, err = json.Marshal(finished(r.Context(), "/v1/", end.failed)); err != nil {
			panic(err) // a defect: it is all strings and numbers
		}
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
