package httpapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
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
	MaxInput    *int64    `json:"max_input_tokens" doc:"Tokens that its context can have; null: the engine does not tell"`

	// What its clients' types have, and engines do not tell.
	MaxTokens    *int64     `json:"max_tokens" doc:"Always null"`
	Capabilities *string    `json:"capabilities" doc:"Always null"`
	Lifecycle    string     `json:"lifecycle" doc:"Always active: retired models are not listed"`
	Line         *string    `json:"line" doc:"Always null"`
	DeprecatedAt *time.Time `json:"deprecated_at" doc:"Always null"`
	RetiresAt    *time.Time `json:"retires_at" doc:"Always null"`
}

// anthropicModels is its list, or a page of it.
type anthropicModels struct {
	Data    []anthropicModel `json:"data" nullable:"false"`
	HasMore bool             `json:"has_more"`
	FirstID *string          `json:"first_id"`
	LastID  *string          `json:"last_id"`
}

func anthropicModelOf(m orchestrator.ModelStatus) anthropicModel {
	one := anthropicModel{Type: "model", ID: m.Name, DisplayName: m.Name, CreatedAt: time.Unix(0, 0).UTC(), Lifecycle: "active"}
	if m.Context > 0 {
		one.MaxInput = &m.Context
	}
	return one
}

// maxAnthropicPage is the most that the API allows in limit.
const maxAnthropicPage = 1000

// page gives what a client of that API asks for: models after or before one, the nearest to
// it, as many as the limit says; without one all. They are in the order of their names.
// OpenAI's clients ask for no pages, so for them nothing of this is checked.
func (p *modelListInput) page(all []orchestrator.ModelStatus) (*anthropicModels, error) {
	limit := len(all)
	if p.Limit != "" {
		n, err := strconv.Atoi(p.Limit)
		if err != nil || n < 1 || n > maxAnthropicPage {
			return nil, newProblem(http.StatusBadRequest, "INVALID_QUERY", "limit is a number from 1 to 1000")
		}
		limit = n
	}
	if p.AfterID != "" && p.BeforeID != "" {
		return nil, newProblem(http.StatusBadRequest, "INVALID_QUERY", "send after_id or before_id, not both")
	}
	all = slices.DeleteFunc(all, func(m orchestrator.ModelStatus) bool {
		return p.AfterID != "" && m.Name <= p.AfterID || p.BeforeID != "" && m.Name >= p.BeforeID
	})
	page, more := all, len(all) > limit
	switch {
	case more && p.BeforeID != "":
		page = all[len(all)-limit:]
	case more:
		page = all[:limit]
	}
	list := anthropicList(page)
	list.HasMore = more
	return list, nil
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
