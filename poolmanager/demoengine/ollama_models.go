package demoengine

import (
	"encoding/json"
	"net/http"
	"strings"
)

// details is what Ollama tells of a model.
func (e *engine) details() map[string]any {
	return map[string]any{"parent_model": "", "format": "demo", "family": "demo", "families": []string{"demo"}, "parameter_size": "0", "quantization_level": "none"}
}

// listed is the model as Ollama lists it. It has no file, and so no size and no digest.
func (e *engine) listed() map[string]any {
	return map[string]any{"name": e.tagged(), "model": e.tagged(), "size": 0, "digest": strings.Repeat("0", 64), "details": e.details()}
}

func (e *engine) showTags(w http.ResponseWriter, _ *http.Request) {
	m := e.listed()
	m["modified_at"] = ollamaTime
	reply(w, map[string]any{"models": []any{m}})
}

// neverTime is when a model is unloaded that is never unloaded.
const neverTime = "2300-01-01T00:00:00Z"

func (e *engine) showRunning(w http.ResponseWriter, _ *http.Request) {
	m := e.listed()
	m["expires_at"], m["size_vram"], m["context_length"] = neverTime, 0, e.settings.context
	reply(w, map[string]any{"models": []any{m}})
}

// tagged is the model's name as Ollama's: with a tag.
func (e *engine) tagged() string {
	if strings.Contains(e.settings.model, ":") {
		return e.settings.model
	}
	return e.settings.model + ":latest"
}

func (e *engine) showVersion(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]string{"version": "0.0.0-demo"})
}

func (e *engine) showModel(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Model string `json:"model"`
		Name  string `json:"name"` // its name before 2024
	}
	if !read(w, r, &q) {
		return
	}
	if name := q.Model + q.Name; name != e.settings.model && name != e.tagged() {
		failOllama(w, http.StatusNotFound, "model not found")
		return
	}
	reply(w, map[string]any{
		"license": "", "modelfile": "# the demo engine has no model", "parameters": "", "template": "{{ .Prompt }}", "details": e.details(),
		"model_info":   map[string]any{"general.architecture": "demo", "demo.context_length": e.settings.context, "demo.embedding_length": dimensions},
		"capabilities": []string{"completion", "tools", "thinking", "vision", "embedding"}, "modified_at": ollamaTime,
	})
}

// ollamaEmbedding is the route before /api/embed: one text, one vector.
func (e *engine) ollamaEmbedding(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Prompt string `json:"prompt"`
	}
	if !read(w, r, &q) {
		return
	}
	release, ok := e.take(r)
	if !ok {
		return
	}
	defer release()
	vector := []float64{}
	if q.Prompt != "" { // nothing is asked but to load the model
		vector = embedding(q.Prompt)
	}
	reply(w, map[string]any{"embedding": vector})
}

func (e *engine) ollamaEmbed(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Input      json.RawMessage `json:"input"`
		Dimensions int             `json:"dimensions"`
		Truncate   *bool           `json:"truncate"`
	}
	if !read(w, r, &q) {
		return
	}
	texts := oneOrMany(q.Input)
	if message := e.tooLong(texts); message != "" && !orDefault(q.Truncate, true) {
		failOllama(w, http.StatusBadRequest, message)
		return
	}
	release, ok := e.take(r)
	if !ok {
		return
	}
	defer release()
	vectors, tokens := make([][]float64, len(texts)), 0
	for i, text := range texts {
		vectors[i] = shortened(embedding(text), q.Dimensions)
		tokens += min(countTokens(text), e.settings.context) // what is over is cut off
	}
	reply(w, map[string]any{"model": e.settings.model, "embeddings": vectors, "total_duration": 1, "load_duration": 0, "prompt_eval_count": tokens})
}
