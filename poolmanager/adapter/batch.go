package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	embeddingsPath = "/v1/embeddings"
	rerankPath     = "/v1/rerank"
	// maxNumberBytes is a number of an answer as JSON at its longest, with what
	// pretty printing adds.
	maxNumberBytes = 32
	// maxAroundBytes is what surrounds the numbers of one input in an answer;
	// some servers repeat the document, which is at most 1 MiB like its request.
	maxAroundBytes = 1 << 20
)

// errBatch says that an engine did not answer each input once.
var errBatch = errors.New("the engine did not answer each input once")

// Run runs a task of any workload and calls emit for each token, embedding or
// score as it comes. See [Dialect.Stream] for errors and for how to cancel.
func (d Dialect) Run(ctx context.Context, hc *http.Client, t Target, task nodeapi.DispatchRequest, emit func(nodeapi.Event) error) (Result, error) {
	switch task.Workload {
	case nodeapi.WorkloadEmbedding:
		body := map[string]any{"model": t.Model, "input": task.Inputs, "encoding_format": "float"}
		return batch{embeddingsPath, "data", len(task.Inputs), emit}.run(ctx, hc, t, body)
	case nodeapi.WorkloadRerank:
		body := map[string]any{"model": t.Model, "query": task.Prompt, "documents": task.Inputs, "top_n": len(task.Inputs)}
		return batch{rerankPath, "results", len(task.Inputs), emit}.run(ctx, hc, t, body)
	}
	index := 0
	return d.Stream(ctx, hc, t, task, func(text string) error {
		index++
		return emit(nodeapi.Event{Type: nodeapi.EventToken, Text: text, Index: index - 1})
	})
}

// batch is one request whose answer holds one element for each input, in any
// order. llama.cpp, vLLM, Ollama and the OpenAI servers share the form of
// embeddings, llama.cpp and vLLM that of reranking.
type batch struct {
	path   string
	list   string // the member of the answer that holds the elements
	inputs int
	emit   func(nodeapi.Event) error
}

// element is one embedding or one score.
type element struct {
	Index     int      `json:"index"`
	Embedding vector   `json:"embedding"`
	Score     *float64 `json:"relevance_score"`
}

func (b batch) run(ctx context.Context, hc *http.Client, t Target, body map[string]any) (Result, error) {
	ctx, progress := t.Limits.watch(ctx)
	defer progress.stop()
	deliver := b.emit
	b.emit = func(e nodeapi.Event) error { return progress.deliver(func() error { return deliver(e) }) }
	response, err := post(ctx, hc, t, b.path, body)
	if err != nil {
		return Result{}, err
	}
	defer response.Body.Close()
	limit := int64(b.inputs+1) * (nodeapi.MaxVector*maxNumberBytes + maxAroundBytes)
	var head beginning
	result, err := b.read(io.TeeReader(io.LimitReader(response.Body, limit), &head))
	if err == nil {
		drain(response.Body)
		return result, nil
	}
	var emitted *emitError
	if errors.As(err, &emitted) {
		return Result{}, emitted.err
	}
	if said := b.said(t, head); said != "" && ctx.Err() == nil {
		return Result{}, &Error{Class: ClassFailed, Message: fmt.Sprintf("the engine did not answer the inputs; it said (%s): %s", kind(response.Header.Get("Content-Type")), said)}
	}
	return Result{}, t.failure(ctx, ClassFailed, "the engine's answer cannot be read", err)
}

// beginning keeps what an answer began with, for an error.
type beginning []byte

// Write implements io.Writer.
func (h *beginning) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), maxErrorBytes-len(*h))]...)
	return len(p), nil
}

// said is the engine's words in place of an answer; empty for an answer that only
// has something wrong with it, which are numbers.
func (b batch) said(t Target, head beginning) string {
	var answer map[string]json.RawMessage
	cut := len(head) == maxErrorBytes
	if err := json.Unmarshal(head, &answer); err == nil && !present(answer["error"]) {
		if _, ok := answer[b.list]; ok || len(answer) == 0 {
			return ""
		}
	} else if err != nil && bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) && bytes.Contains(head, []byte(strconv.Quote(b.list))) {
		return ""
	}
	return t.message(head, cut)
}

// emitError is the receiver's, to be told apart from the engine's.
type emitError struct{ err error }

// Error says what the receiver said.
func (e *emitError) Error() string { return e.err.Error() }

// read walks through the answer, so that no more than one element is held.
func (b batch) read(body io.Reader) (Result, error) {
	decoder := json.NewDecoder(body)
	if err := want(decoder, json.Delim('{')); err != nil {
		return Result{}, err
	}
	result, seen := Result{FinishReason: "stop"}, make([]bool, b.inputs)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return result, err
		}
		var usage struct {
			PromptTokens int `json:"prompt_tokens"`
			TotalTokens  int `json:"total_tokens"`
		}
		switch name {
		case b.list:
			err = b.elements(decoder, seen)
		case "usage":
			if err = decoder.Decode(&usage); err == nil {
				result.TokensIn = max(usage.PromptTokens, usage.TotalTokens)
			}
		case "error":
			var said json.RawMessage
			if err = decoder.Decode(&said); err == nil && present(said) {
				err = errBatch
			}
		default:
			err = decoder.Decode(&json.RawMessage{})
		}
		if err != nil {
			return result, err
		}
	}
	for _, answered := range seen {
		if !answered {
			return result, errBatch
		}
	}
	return result, want(decoder, json.Delim('}'))
}

func (b batch) elements(decoder *json.Decoder, seen []bool) error {
	if err := want(decoder, json.Delim('[')); err != nil {
		return err
	}
	for decoder.More() {
		var e element
		if err := decoder.Decode(&e); err != nil {
			return err
		}
		if e.Index < 0 || e.Index >= len(seen) || seen[e.Index] {
			return errBatch
		}
		seen[e.Index] = true
		event := nodeapi.Event{Type: nodeapi.EventEmbedding, Index: e.Index, Vector: e.Embedding}
		switch {
		case b.path == rerankPath && e.Score != nil:
			event = nodeapi.Event{Type: nodeapi.EventScore, Index: e.Index, Score: *e.Score}
		case b.path == rerankPath || len(e.Embedding) == 0:
			return errBatch
		}
		if err := b.emit(event); err != nil {
			return &emitError{err}
		}
	}
	return want(decoder, json.Delim(']'))
}

func want(decoder *json.Decoder, delim json.Delim) error {
	token, err := decoder.Token()
	if err == nil && token != delim {
		err = fmt.Errorf("found %v instead of %v", token, delim)
	}
	return err
}

// vector reads a JSON array of numbers. encoding/json would turn null, which is
// how servers print what is not a number, into 0.
type vector []float32

// UnmarshalJSON implements json.Unmarshaler; text is valid JSON already.
func (v *vector) UnmarshalJSON(text []byte) error {
	inside, ok := bytes.CutPrefix(text, []byte("["))
	inside, closed := bytes.CutSuffix(inside, []byte("]"))
	count := bytes.Count(inside, []byte(",")) + 1
	switch {
	case !ok || !closed:
		return errors.New("an embedding is not a list of numbers")
	case count > nodeapi.MaxVector:
		return fmt.Errorf("an embedding has %d numbers, over %d", count, nodeapi.MaxVector)
	}
	*v = make(vector, 0, count)
	for number := range bytes.SplitSeq(inside, []byte(",")) {
		f, err := strconv.ParseFloat(string(bytes.TrimSpace(number)), 32)
		if err != nil {
			return errors.New("an embedding holds what is not a number of 32 bits")
		}
		*v = append(*v, float32(f))
	}
	return nil
}
