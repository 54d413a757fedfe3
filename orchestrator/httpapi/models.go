package httpapi

import (
	"context"
)

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
	list := openaiModels{Object: "list", Data: []openaiModel{}}
	for _, m := range a.o.ModelStatuses() {
		list.Data = append(list.Data, openaiModel{ID: m.Name, Object: "model", OwnedBy: "llorch", Ready: m.Ready, Reason: m.Reason})
	}
	return &body[openaiModels]{list}, nil
}
