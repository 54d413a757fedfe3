package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

// answerTimeout bounds how long a caller may take to read an answer that comes
// in one piece: 16 MiB, the most a task brings back, at 2 Mbit/s.
const answerTimeout = time.Minute

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

// errGap is an answer that cannot be given whole any more.
var errGap = errors.New("some of the task's events are gone")

// answer sends an answer in one piece, or says why there is none.
func (c *conversation) answer(w http.ResponseWriter, r *http.Request, answer any, end ended, err error) {
	switch {
	case errors.Is(err, errGap):
		end.failed = newProblem(http.StatusBadGateway, "EVENTS_GONE", "the answer is no longer there as a whole; send it again with another Idempotency-Key")
	case errors.Is(err, orchestrator.ErrStopping):
		end.failed = newProblem(http.StatusServiceUnavailable, "STOPPING", "the orchestrator is stopping; send it again")
	case err != nil && !errors.Is(err, io.EOF):
		if r.Context().Err() == nil { // else the caller has left
			c.a.opts.Log.ErrorContext(r.Context(), "reading an answer", "task_id", c.id, "error", err, "correlation_id", authmin.CorrelationID(r.Context()))
		}
		end.failed = newProblem(http.StatusInternalServerError, "INTERNAL", "a defect; the log has it under this correlation_id")
	}
	kind, status := "application/json", http.StatusOK
	if end.failed != nil {
		kind, status = "application/problem+json", end.failed.Status
		answer = finished(r.Context(), "/v1/", end.failed)
	}
	w.Header().Set("Content-Type", kind)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}
