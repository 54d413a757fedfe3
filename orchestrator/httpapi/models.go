package httpapi

import (
	"context"
	"net/http"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

// modelRoutes defines the lists of models that clients of OpenAI's and Anthropic's APIs
// ask for. The latter say which version of it they speak.
func (a *API) modelRoutes() {
	route(a, authmin.ScopeInfer, http.MethodGet, "/v1/models", http.StatusOK, "The models (OpenAI, Anthropic)", a.models)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v1/models/{id}", http.StatusOK, "One model (OpenAI, Anthropic)", a.modelByName)
}

type openaiModel struct {
	ID            string `json:"id"`
	Object        string `json:"object"`
	Created       int64  `json:"created"`
	OwnedBy       string `json:"owned_by"`
	ContextLength int64  `json:"context_length,omitempty" doc:"Tokens that its context can have, where the engine tells"`
	MaxModelLen   int64  `json:"max_model_len,omitempty" doc:"The same, as vLLM calls it"`
	Ready         bool   `json:"ready" doc:"A pool serves it now"`
	Reason        string `json:"reason,omitempty" doc:"Why none does"`
}

type openaiModels struct {
	Object string        `json:"object"`
	Data   []openaiModel `json:"data" nullable:"false"`
}

type modelListInput struct {
	Anthropic string `header:"Anthropic-Version" doc:"Asks for the answer of Anthropic's API"`
	Limit     string `query:"limit" doc:"For Anthropic's clients: 1 to 1000"`
	AfterID   string `query:"after_id" doc:"For Anthropic's clients"`
	BeforeID  string `query:"before_id" doc:"For Anthropic's clients"`
}

func (a *API) models(ctx context.Context, in *modelListInput) (*body[modelList], error) {
	all := a.o.ModelStatuses(who(ctx).Models)
	if in.Anthropic != "" {
		list, err := in.page(all)
		return &body[modelList]{modelList{anthropic: list}}, err
	}
	list := &openaiModels{Object: "list", Data: []openaiModel{}}
	for _, m := range all {
		list.Data = append(list.Data, openaiModelOf(m))
	}
	return &body[modelList]{modelList{openai: list}}, nil
}

type modelID struct {
	ID        string `path:"id" maxLength:"256"`
	Anthropic string `header:"Anthropic-Version" doc:"Asks for the answer of Anthropic's API"`
}

func (a *API) modelByName(ctx context.Context, in *modelID) (*body[oneModel], error) {
	m, ok := a.o.ModelStatus(who(ctx).Models, in.ID)
	if !ok {
		p := newProblem(http.StatusNotFound, "MODEL_NOT_FOUND", "no node serves this model; GET /v1/models lists those that are served")
		p.SDKCode = "model_not_found"
		return nil, p
	}
	if in.Anthropic != "" {
		one := anthropicModelOf(m)
		return &body[oneModel]{oneModel{anthropic: &one}}, nil
	}
	one := openaiModelOf(m)
	return &body[oneModel]{oneModel{openai: &one}}, nil
}

func openaiModelOf(m orchestrator.ModelStatus) openaiModel {
	return openaiModel{ID: m.Name, Object: "model", OwnedBy: "llorch", ContextLength: m.Context, MaxModelLen: m.Context, Ready: m.Ready, Reason: m.Reason}
}
