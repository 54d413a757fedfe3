package demoengine

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/llorch/gateway/authmin"
)

// maxBodyBytes is the limit of the pool manager's native calls.
const maxBodyBytes = 32 << 20

type engine struct {
	settings settings
	key      authmin.Secret
	loaded   atomic.Bool
	slots    chan struct{}
	memory   memory
}

func newEngine(s settings, key authmin.Secret) *engine {
	return &engine{settings: s, key: key, slots: make(chan struct{}, s.parallel)}
}

func (e *engine) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slots", e.showSlots)
	mux.HandleFunc("GET /v1/models", e.showModels)
	mux.HandleFunc("POST /completion", e.completion)
	mux.HandleFunc("POST /v1/completions", e.textCompletion)
	mux.HandleFunc("POST /v1/chat/completions", e.chatCompletion)
	mux.HandleFunc("POST /v1/messages", e.messages)
	mux.HandleFunc("POST /v1/messages/count_tokens", e.countMessageTokens)
	mux.HandleFunc("POST /v1/responses", e.responses)
	mux.HandleFunc("POST /v1/responses/input_tokens", e.countInputTokens)
	mux.HandleFunc("GET /v1/responses/{id}", e.ofResponse(e.showResponse))
	mux.HandleFunc("DELETE /v1/responses/{id}", e.ofResponse(e.deleteResponse))
	mux.HandleFunc("GET /v1/responses/{id}/input_items", e.ofResponse(e.showInputItems))
	mux.HandleFunc("POST /v1/responses/{id}/cancel", e.ofResponse(e.cancelResponse))
	mux.HandleFunc("POST /api/chat", e.ollamaChat)
	mux.HandleFunc("POST /api/generate", e.ollamaGenerate)
	mux.HandleFunc("POST /api/embed", e.ollamaEmbed)
	mux.HandleFunc("POST /api/embeddings", e.ollamaEmbedding)
	mux.HandleFunc("POST /api/show", e.showModel)
	mux.HandleFunc("GET /api/tags", e.showTags)
	mux.HandleFunc("GET /api/ps", e.showRunning)
	mux.HandleFunc("GET /api/version", e.showVersion)
	mux.HandleFunc("POST /v1/embeddings", e.embeddings)
	mux.HandleFunc("POST /v1/rerank", e.rerank)
	guarded := e.guard(mux)
	root := http.NewServeMux()
	root.HandleFunc("GET /health", e.health)
	root.Handle("/", guarded)
	return root
}

// guard requires the key on every route that it wraps, known or not.
func (e *engine) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		digest, presented := authmin.ParseBearer(r.Header["Authorization"])
		if presented != authmin.PresentedToken || !digest.Equal(e.key.Digest()) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "authentication_error", "Invalid API Key")
			return
		}
		if !e.loaded.Load() {
			fail(w, http.StatusServiceUnavailable, "unavailable_error", "Loading model")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (e *engine) health(w http.ResponseWriter, _ *http.Request) {
	if !e.loaded.Load() {
		fail(w, http.StatusServiceUnavailable, "unavailable_error", "Loading model")
		return
	}
	reply(w, map[string]string{"status": "ok"})
}

// showSlots answers like llama.cpp's /slots, with the fields that clients read.
func (e *engine) showSlots(w http.ResponseWriter, _ *http.Request) {
	busy := len(e.slots)
	list := make([]map[string]any, cap(e.slots))
	for i := range list {
		list[i] = map[string]any{"id": i, "is_processing": i < busy}
	}
	reply(w, list)
}

// showModels answers both APIs that have a list there: Anthropic's clients name its version.
func (e *engine) showModels(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Anthropic-Version") != "" {
		name := e.settings.model
		reply(w, map[string]any{"data": []any{map[string]any{
			"type": "model", "id": name, "display_name": name, "created_at": ollamaTime, "max_input_tokens": e.settings.context, "max_tokens": maxTokens,
			"capabilities": nil, "deprecated_at": nil, "lifecycle": "active", "line": nil, "retires_at": nil,
		}}, "has_more": false, "first_id": name, "last_id": name})
		return
	}
	reply(w, map[string]any{"object": "list", "data": []any{map[string]any{
		"id": e.settings.model, "object": "model", "created": created, "owned_by": "llorch demo engine", "meta": map[string]any{"demo": true}, "max_model_len": e.settings.context,
	}}})
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(into); err != nil {
		failRead(w, r.URL.Path)
		return false
	}
	return true
}

// failRead has the shape that clients of the route's protocol read.
func failRead(w http.ResponseWriter, path string) {
	const message = "the body is not the JSON that was expected"
	switch {
	case strings.HasPrefix(path, "/v1/messages"):
		failMessage(w, http.StatusBadRequest, message)
	case strings.HasPrefix(path, "/api/"):
		failOllama(w, http.StatusBadRequest, message)
	default:
		failWith(w, http.StatusBadRequest, "invalid_value", message)
	}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	// This fails when the client has closed the connection.
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]any{"code": status, "type": kind, "message": message},
	})
}
