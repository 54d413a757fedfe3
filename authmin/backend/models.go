package backend

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
)

// A caller with a list of models may use the routes of a few scopes, and other operations
// that say so. All else is closed to it: a route that administers could give a model another
// name, or reach one in a way that names none.

// scopesForLists are those whose routes name no model, or whose handlers check it.
var scopesForLists = []authmin.Scope{authmin.ScopeInfer, authmin.ScopeMetrics}

// checksModels is the key of an operation whose handler checks the models of its caller.
const checksModels = "checks-models"

// ChecksModels marks an operation whose handler checks the models of its caller itself, so
// that a caller with a list may use it. Those of scope infer need no mark.
func ChecksModels(op *huma.Operation) {
	op.Metadata = map[string]any{checksModels: true}
}

// closedToList reports whether the caller has a list of models, and the operation is not
// for such callers. op is nil for a route that huma does not describe.
func closedToList(c Caller, op *huma.Operation, scopes []authmin.Scope) bool {
	if c.Models == nil {
		return false
	}
	if op != nil && op.Metadata[checksModels] == true {
		return false
	}
	return !slices.ContainsFunc(scopes, func(s authmin.Scope) bool { return slices.Contains(scopesForLists, s) })
}

// ModelNotAllowed is the refusal of a model for a caller with this list, in the words of the
// gateway: 403 MODEL_NOT_ALLOWED, naming what is allowed.
func ModelNotAllowed(m *authmin.Models) *Problem {
	edge := authmin.ModelNotAllowed(m)
	p := NewProblem(http.StatusForbidden, edge.Code, edge.Message)
	p.Title, p.Param, p.AllowedModels = edge.Title, edge.Param, m.Patterns()
	if p.AllowedModels == nil {
		p.AllowedModels = []string{}
	}
	return p
}
