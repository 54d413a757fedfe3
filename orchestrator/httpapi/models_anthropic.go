package httpapi

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/orchestrator"
)

// anthropicModel is a model as Anthropic's API lists it.
type anthropicModel struct {
	Type        string    `json:"type"`
	ID          string    `json:"id"`
	DisplayName string    `json:"display_name"`
	CreatedAt   time.Time `json:"created_at" doc:"1970: not known"`
}

// anthropicModels is its list: always all of them, so that nothing follows.
type anthropicModels struct {
	Data    []anthropicModel `json:"data" nullable:"false"`
	HasMore bool             `json:"has_more"`
	FirstID *string          `json:"first_id"`
	LastID  *string          `json:"last_id"`
}

func anthropicModelOf(m orchestrator.ModelStatus) anthropicModel {
	return anthropicModel{Type: "model", ID: m.Name, DisplayName: m.Name, CreatedAt: time.Unix(0, 0).UTC()}
}

func anthropicList(all []orchestrator.ModelStatus) *anthropicModels {
	list := &anthropicModels{Data: []anthropicModel{}}
	for _, m := range all {
		list.Data = append(list.Data, anthropicModelOf(m))
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	return list
}

// modelList is the list of the one API or the other.
type modelList struct {
	openai    *openaiModels
	anthropic *anthropicModels
}

// MarshalJSON implements json.Marshaler.
func (l modelList) MarshalJSON() ([]byte, error) {
	if l.anthropic != nil {
		return json.Marshal(l.anthropic)
	}
	return json.Marshal(l.openai)
}

// Schema implements huma.SchemaProvider.
func (modelList) Schema(r huma.Registry) *huma.Schema {
	return oneOf(r, reflect.TypeFor[openaiModels](), reflect.TypeFor[anthropicModels]())
}

// oneModel is a model of the one API or the other.
type oneModel struct {
	openai    *openaiModel
	anthropic *anthropicModel
}

// MarshalJSON implements json.Marshaler.
func (m oneModel) MarshalJSON() ([]byte, error) {
	if m.anthropic != nil {
		return json.Marshal(m.anthropic)
	}
	return json.Marshal(m.openai)
}

// Schema implements huma.SchemaProvider.
func (oneModel) Schema(r huma.Registry) *huma.Schema {
	return oneOf(r, reflect.TypeFor[openaiModel](), reflect.TypeFor[anthropicModel]())
}

func oneOf(r huma.Registry, types ...reflect.Type) *huma.Schema {
	s := &huma.Schema{}
	for _, t := range types {
		s.OneOf = append(s.OneOf, r.Schema(t, true, ""))
	}
	return s
}
