package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
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

// ollamaModel is a model as Ollama lists it. What nodes do not report is empty.
type ollamaModel struct {
	Name       string        `json:"name"`
	Model      string        `json:"model"`
	ModifiedAt time.Time     `json:"modified_at"`
	Size       int64         `json:"size"`
	Digest     string        `json:"digest"`
	Details    ollamaDetails `json:"details"`
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

func (a *API) ollamaTags(context.Context, *none) (*body[ollamaModels], error) {
	return &body[ollamaModels]{a.ollamaList(false)}, nil
}

func (a *API) ollamaPS(context.Context, *none) (*body[ollamaModels], error) {
	return &body[ollamaModels]{a.ollamaList(true)}, nil
}

func (a *API) ollamaList(loaded bool) ollamaModels {
	list := ollamaModels{Models: []ollamaModel{}}
	for _, name := range a.o.OllamaModels(loaded) {
		list.Models = append(list.Models, ollamaModel{
			Name: name, Model: name, ModifiedAt: time.Unix(0, 0).UTC(), Details: ollamaDetails{Families: []string{}},
		})
	}
	return list
}

type ollamaVersionAnswer struct {
	Version string `json:"version"`
}

func (a *API) ollamaVersion(context.Context, *none) (*body[ollamaVersionAnswer], error) {
	return &body[ollamaVersionAnswer]{ollamaVersionAnswer{ollamaVersion}}, nil
}
