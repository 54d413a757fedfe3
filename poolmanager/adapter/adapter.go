package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// DefaultMaxTokens bounds an answer whose task names no limit: engines
	// otherwise generate until their context is full.
	DefaultMaxTokens = 2048
	// maxErrorBytes is how much of an engine's error answer is read.
	maxErrorBytes = 4 << 10
)

// Dialect is how an engine is talked to.
type Dialect string

// The dialects.
const (
	LlamaCPP Dialect = "llamacpp"
	OpenAI   Dialect = "openai"
)

// Target is one engine: where it listens, its key if it checks one, the model to
// ask for, and how long it may take.
type Target struct {
	Base   string
	Key    authmin.Secret
	Model  string
	Limits Limits
}

// Result is how an answer ended. Where the engine reports no counts TokensOut
// is the number of pieces and TokensIn 0.
type Result struct {
	TokensIn     int
	TokensOut    int
	FinishReason string // "stop" or "length"; an engine that says anything else has failed
}

// Stream runs the task and calls emit for each piece of text as it comes; an
// error of emit ends the task and is returned as it is. Ending ctx hangs up,
// which is how these engines cancel; that is also done when a limit of t passes.
// An answer is whole when the engine has said so by its dialect's proper end.
func (d Dialect) Stream(ctx context.Context, hc *http.Client, t Target, task nodeapi.DispatchRequest, emit func(string) error) (Result, error) {
	ctx, progress := t.Limits.watch(ctx)
	defer progress.stop()
	path, body := d.request(t, task)
	response, err := post(ctx, hc, t, path, body)
	if err != nil {
		return Result{}, err
	}
	defer response.Body.Close()
	reader := &reader{
		chat: path == chatPath, llama: path == completionPath, target: t,
		kind: response.Header.Get("Content-Type"), made: progress.made,
		emit: func(text string) error { return progress.deliver(func() error { return emit(text) }) },
	}
	result, err := reader.read(ctx, response.Body)
	if err == nil {
		drain(response.Body)
	}
	return result, err
}

const (
	// drainLimit and maxDrained bound the wait for an engine to close a stream
	// whose answer is complete: it does so within microseconds, or not at all.
	drainLimit = 20 * time.Millisecond
	maxDrained = 4 << 10
)

// drain reads what follows the end of an answer. Without that the connection
// could not be used again, and each task would dial.
func drain(body io.ReadCloser) {
	timer := time.AfterFunc(drainLimit, func() { body.Close() })
	defer timer.Stop()
	// An error, or more than that, costs only the connection.
	_, _ = io.CopyN(io.Discard, body, maxDrained)
}

// post sends one request; every answer but 200 is an error.
func post(ctx context.Context, hc *http.Client, t Target, path string, body map[string]any) (*http.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding the engine's request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Base+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("making the engine's request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	Authorize(request, t.Key)
	response, err := hc.Do(request)
	if err != nil {
		return nil, t.failure(ctx, ClassUnavailable, "the engine cannot be reached", err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, t.refusal(ctx, response)
	}
	return response, nil
}

// Authorize adds the engine's key, if it has one.
func Authorize(r *http.Request, key authmin.Secret) {
	if !key.IsZero() {
		r.Header.Set("Authorization", "Bearer "+key.Reveal())
	}
}

const (
	completionPath = "/completion"
	chatPath       = "/v1/chat/completions"
	textPath       = "/v1/completions"
)

func (d Dialect) request(t Target, task nodeapi.DispatchRequest) (path string, body map[string]any) {
	limit := task.MaxTokens
	if limit == 0 {
		limit = DefaultMaxTokens
	}
	body = map[string]any{"stream": true}
	switch {
	case len(task.Messages) > 0:
		path, body["messages"] = chatPath, task.Messages
	case d == LlamaCPP:
		path, body["prompt"] = completionPath, task.Prompt
	default:
		path, body["prompt"] = textPath, task.Prompt
	}
	if path == completionPath {
		body["n_predict"], body["cache_prompt"] = limit, true
	} else {
		body["model"], body["max_tokens"] = t.Model, limit
		body["stream_options"] = map[string]bool{"include_usage": true}
	}
	if task.Seed != nil {
		body["seed"] = *task.Seed
	}
	if task.Temperature != nil {
		body["temperature"] = *task.Temperature
	}
	if task.TopP != nil {
		body["top_p"] = *task.TopP
	}
	if len(task.Stop) > 0 {
		body["stop"] = task.Stop
	}
	return path, body
}

// refusal is an answer with another status than 200. What the engine says in it is
// read within the same limits as an answer.
func (t Target) refusal(ctx context.Context, response *http.Response) error {
	text, cut := readBounded(response.Body)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	failed := &Error{Class: ClassRefused, Message: fmt.Sprintf("the engine answered %d (%s): %s",
		response.StatusCode, kind(response.Header.Get("Content-Type")), t.message(text, cut))}
	switch {
	case later(response.StatusCode, response.Header):
		failed.Class, failed.RetryAfter = ClassBusy, nodeapi.ParseRetryAfter(response.Header.Get("Retry-After"), time.Now())
	case response.StatusCode == http.StatusNotImplemented: // llama-server without --embeddings
	case response.StatusCode >= 500:
		failed.Class = ClassFailed
	}
	return failed
}

// readBounded reads what an engine says in an error. cut says that there is more.
func readBounded(body io.Reader) (text []byte, cut bool) {
	// What came before a break is worth showing, too.
	text, err := io.ReadAll(io.LimitReader(body, maxErrorBytes))
	return text, err != nil || len(text) == maxErrorBytes
}
