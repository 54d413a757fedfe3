package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

// ollamaVersion is the version of Ollama whose API passes through here: clients ask for
// it before they use a route.
const ollamaVersion = "0.17.4"

// ollamaRoutes defines Ollama's own lists, over all pools of its protocol.
func (a *API) ollamaRoutes() {
	route(a, authmin.ScopeInfer, http.MethodGet, "/api/tags", http.StatusOK, "The models (Ollama)", a.ollamaTags)
	route(a, authmin.ScopeInfer, http.MethodGet, "/api/ps", http.StatusOK, "The models that are loaded (Ollama)", a.ollamaPS)
	route(a, authmin.ScopeInfer, http.MethodGet, "/api/version", http.StatusOK, "The version of the API (Ollama)", a.ollamaVersion)
}

// What engines do not tell. Clients of Ollama cut the digest to twelve digits, and some
// want every member to be there.
var (
	noDigest = strings.Repeat("0", 64)
	// never is when a model is unloaded whose engine names no time.
	never = time.Date(2300, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// ollamaModel is a model as Ollama lists it.
type ollamaModel struct {
	Name       string        `json:"name"`
	Model      string        `json:"model"`
	ModifiedAt time.Time     `json:"modified_at" doc:"Year 1: not known"`
	Size       int64         `json:"size" doc:"Bytes; 0: not known"`
	Digest     string        `json:"digest" doc:"Zeros alone: not known"`
	Details    ollamaDetails `json:"details"`
}

// ollamaRunning is one that is loaded.
type ollamaRunning struct {
	Name      string        `json:"name"`
	Model     string        `json:"model"`
	Size      int64         `json:"size" doc:"Bytes of memory; 0: not known"`
	Digest    string        `json:"digest" doc:"Zeros alone: not known"`
	Details   ollamaDetails `json:"details"`
	ExpiresAt time.Time     `json:"expires_at" doc:"When it is unloaded if it is not used; year 2300: never"`
	SizeVRAM  int64         `json:"size_vram" doc:"Bytes of memory of GPUs"`
	Context   int64         `json:"context_length" doc:"Tokens; 0: not known"`
}

type ollamaDetails struct {
	ParentModel       string   `json:"parent_model"`
	Format            string   `json:"format"`
	Family            string   `json:"family"`
	Families          []string `json:"families" nullable:"false"`
	ParameterSize     string   `json:"parameter_size"`
	QuantizationLevel string   `json:"quantization_level"`
}

type ollamaModels struct {
	Models []ollamaModel `json:"models" nullable:"false"`
}

type ollamaRunningModels struct {
	Models []ollamaRunning `json:"models" nullable:"false"`
}

func (a *API) ollamaTags(ctx context.Context, _ *none) (*body[ollamaModels], error) {
	list := ollamaModels{Models: []ollamaModel{}}
	for _, m := range a.o.OllamaModels(ctx, who(ctx).Models, false) {
		list.Models = append(list.Models, ollamaModel{
			Name: m.Name, Model: m.Name, ModifiedAt: m.ModifiedAt, Size: m.SizeBytes, Digest: cmp.Or(m.Digest, noDigest), Details: detailsOf(m),
		})
	}
	return &body[ollamaModels]{list}, nil
}

func (a *API) ollamaPS(ctx context.Context, _ *none) (*body[ollamaRunningModels], error) {
	list := ollamaRunningModels{Models: []ollamaRunning{}}
	for _, m := range a.o.OllamaModels(ctx, who(ctx).Models, true) {
		one := ollamaRunning{
			Name: m.Name, Model: m.Name, Size: cmp.Or(m.Running.SizeBytes, m.SizeBytes), Digest: cmp.Or(m.Digest, noDigest), Details: detailsOf(m),
			ExpiresAt: m.Running.ExpiresAt, SizeVRAM: m.Running.VRAMBytes, Context: cmp.Or(m.Running.ContextLength, m.Context),
		}
		if one.ExpiresAt.IsZero() {
			one.ExpiresAt = never
		}
		list.Models = append(list.Models, one)
	}
	return &body[ollamaRunningModels]{list}, nil
}

func detailsOf(m orchestrator.OllamaModel) ollamaDetails {
	d := ollamaDetails{
		Format: m.Details.Format, Family: m.Details.Family, Families: []string{},
		ParameterSize: m.Details.ParameterSize, QuantizationLevel: m.Details.QuantizationLevel,
	}
	if d.Family != "" {
		d.Families = append(d.Families, d.Family)
	}
	return d
}

type ollamaVersionAnswer struct {
	Version string `json:"version"`
}

func (a *API) ollamaVersion(context.Context, *none) (*body[ollamaVersionAnswer], error) {
	return &body[ollamaVersionAnswer]{ollamaVersionAnswer{ollamaVersion}}, nil
}
