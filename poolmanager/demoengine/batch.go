package demoengine

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
)

// take waits for a slot and for the time of one token, the cost of a batch; false means
// that the client hung up.
func (e *engine) take(r *http.Request) (release func(), ok bool) {
	select {
	case e.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, false
	}
	if pause(r.Context(), e.settings.tokenDelay) != nil {
		<-e.slots
		return nil, false
	}
	return func() { <-e.slots }, true
}

func (e *engine) embeddings(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Input      json.RawMessage `json:"input"`
		Encoding   string          `json:"encoding_format"`
		Dimensions *int            `json:"dimensions"`
	}
	if !read(w, r, &request) {
		return
	}
	texts, ok := promptsOf(request.Input)
	if !ok {
		failValue(w, "input", "input: want a text, a list of texts, or a list of tokens, or several of these")
		return
	}
	if name, message := outside(integer("dimensions", request.Dimensions, 1, math.Inf(1))); name != "" {
		failValue(w, name, message)
		return
	}
	if request.Encoding != "" && request.Encoding != "float" && request.Encoding != "base64" {
		failValue(w, "encoding_format", "encoding_format: want float or base64")
		return
	}
	if message := e.tooLong(texts); message != "" {
		failWith(w, http.StatusBadRequest, "context_length_exceeded", message)
		return
	}
	release, ok := e.take(r)
	if !ok {
		return
	}
	defer release()
	data, tokens := make([]any, len(texts)), 0
	for i, text := range texts {
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": inEncoding(shortened(embedding(text), orZero(request.Dimensions)), request.Encoding)}
		tokens += countTokens(text)
	}
	reply(w, map[string]any{"object": "list", "model": e.settings.model, "data": data,
		"usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
}

// tooLong says which text has more tokens than the context; "" for none.
func (e *engine) tooLong(texts []string) string {
	for i, text := range texts {
		if n := countTokens(text); n > e.settings.context {
			return fmt.Sprintf("This model's maximum context length is %d tokens. However, input %d has %d tokens.", e.settings.context, i, n)
		}
	}
	return ""
}

// shortened is a vector of fewer dimensions, and of length 1 again.
func shortened(vector []float64, dimensions int) []float64 {
	if dimensions <= 0 || dimensions >= len(vector) {
		return vector
	}
	vector = vector[:dimensions]
	var sum float64
	for _, x := range vector {
		sum += x * x
	}
	for i := range vector {
		vector[i] /= math.Sqrt(sum)
	}
	return vector
}

// inEncoding is a vector as numbers, or as base64 of 32-bit floats.
func inEncoding(vector []float64, encoding string) any {
	if encoding != "base64" {
		return vector
	}
	var bytes []byte
	for _, x := range vector {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(float32(x)))
	}
	return base64.StdEncoding.EncodeToString(bytes)
}

// rerank scores each document by the query's words in it.
func (e *engine) rerank(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Query     string   `json:"query"`
		Documents []string `json:"documents"`
	}
	if !read(w, r, &request) {
		return
	}
	if request.Query == "" || len(request.Documents) == 0 {
		fail(w, http.StatusBadRequest, "invalid_request_error", "query and documents are needed")
		return
	}
	release, ok := e.take(r)
	if !ok {
		return
	}
	defer release()
	results, tokens := make([]any, len(request.Documents)), countTokens(request.Query)
	for i, document := range request.Documents {
		results[i] = map[string]any{"index": i, "relevance_score": relevance(request.Query, document)}
		tokens += countTokens(document)
	}
	reply(w, map[string]any{"object": "list", "model": e.settings.model, "results": results,
		"usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
}
