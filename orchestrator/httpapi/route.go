package httpapi

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// route declares an operation: where it is, the scope it needs, and what it
// answers with; more describes what the types cannot. The scope is declared here and nowhere else.
func route[I, O any](a *API, scope authmin.Scope, method, path string, status int, summary string, h func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	op := huma.Operation{
		Method: method, Path: path, Summary: summary, DefaultStatus: status,
		OperationID: operationID(method, path), Responses: map[string]*huma.Response{},
	}
	for _, describe := range more {
		describe(&op)
	}
	backend.Add(a.base, scope, op, h)
}

// operationID makes get-v2-tasks-id of GET /v2/tasks/{id}.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(c rune) bool { return strings.ContainsRune("/{}._", c) })
	return strings.Join(slices.Insert(words, 0, strings.ToLower(method)), "-")
}
