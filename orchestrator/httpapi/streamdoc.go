package httpapi

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/orchestrator"
)

// answers describes a 200 that is written without huma.
func (a *API) answers(contentType string, schema *huma.Schema) func(*huma.Operation) {
	return func(op *huma.Operation) {
		status := strconv.Itoa(http.StatusOK)
		if op.Responses[status] == nil {
			op.Responses[status] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{}}
		}
		op.Responses[status].Content[contentType] = &huma.MediaType{Schema: schema}
	}
}

// noContent describes a 204 beside the 200.
func noContent(when string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		op.Responses[strconv.Itoa(http.StatusNoContent)] = &huma.Response{Description: when}
	}
}

func (a *API) schemaOf(t reflect.Type) *huma.Schema {
	return a.base.Huma().OpenAPI().Components.Schemas.Schema(t, true, "")
}

// taskEvents describes a task's stream as the list of its events. What travels
// is text/event-stream: a line for each member, and an empty line.
func (a *API) taskEvents() *huma.Schema {
	list := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{},
		Description: "The events in their order. Ids begin at 1; exactly one of end, error and canceled is the last."}
	for _, kind := range orchestrator.EventTypes() {
		list.Items.OneOf = append(list.Items.OneOf, object("Event "+string(kind), map[string]*huma.Schema{
			"id":    {Type: huma.TypeInteger},
			"event": {Type: huma.TypeString, Enum: []any{string(kind)}},
			"data":  a.schemaOf(reflect.TypeOf(kind.Shape())),
		}, "id", "event", "data"))
	}
	return list
}

func object(title string, properties map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Title: title, Properties: properties, Required: required, AdditionalProperties: false}
}
