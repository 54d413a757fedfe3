package demoengine

import (
	"encoding/json"
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
		Input json.RawMessage `json:"input"`
	}
	if !read(w, r, &request) {
		return
	}
	var texts []string
	if json.Unmarshal(request.Input, &texts) != nil {
		var one string
		if json.Unmarshal(request.Input, &one) != nil {
			fail(w, http.StatusBadRequest, "invalid_request_error", "input is neither a text nor a list of texts")
			return
		}
		texts = []string{one}
	}
	release, ok := e.take(r)
	if !ok {
		return
	}
	defer release()
	data, tokens := make([]any, len(texts)), 0
	for i, text := range texts {
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": embedding(text)}
		tokens += countTokens(text)
	}
	reply(w, map[string]any{"object": "list", "model": e.settings.model, "data": data,
		"usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
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
