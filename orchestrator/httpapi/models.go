package httpapi

import (
	"context"
	"net/http"

	"github.com/llorch/gateway/authmin"
)

// modelRoutes defines the lists of models that clients of OpenAI's API ask for.
func (a *API) modelRoutes() {
	route(a, authmin.ScopeInfer, http.MethodGet, "/v1/models", http.StatusOK, "The models (OpenAI)", a.models)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v1/models/{id}", http.StatusOK, "One model (OpenAI)", a.modelByName)
}

type openaiModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Ready   bool   `json:"ready" doc:"A pool serves it now"`
	Reason  string `json:"reason,omitempty" doc:"Why none does"`
}

type openaiModels struct {
	Object string        `json:"object"`
	Data   []openaiModel `json:"data" nullable:"false"`
}

func (a *API) models(context.Context, *none) (*body[openaiModels], error) {
	return &body[openaiModels]{openaiModels{Object: "list", Data: a.listModels()}}, nil
}

type modelID struct {
	ID string `path:"id" maxLength:"256"`
}

func (a *API) modelByName(_ context.Context, in *modelID) (*body[openaiModel], error) {
	for _, m := range a.listModels() {
		if m.ID == in.ID {
			return &body[openaiModel]{m}, nil
		}
	}
	return nil, newProblem(http.StatusNotFound, "MODEL_NOT_FOUND", "no node serves this model; GET /v1/models lists those that are served")
}

func (a *API) listModels() []openaiModel {
	all := []openaiModel{}
	for _, m := range a.o.ModelStatuses() {
		all = append(all, openaiModel{ID: m.Name, Object: "model", OwnedBy: "llorch", Ready: m.Ready, Reason: m.Reason})
	}
	return all
}
