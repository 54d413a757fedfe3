package authmin

import (
	"net/http"
	"strings"
)

// ProblemModel refuses a model, or a route in neither model_in nor model_free. The answer to
// a client names the models that its token may use: see [ModelNotAllowed].
var ProblemModel = Problem{
	Status: http.StatusForbidden, Code: "MODEL_NOT_ALLOWED", CodeNumber: 40308,
	Title: "The token may not use this model",
	Hint:  "Ask for a model that the token may use, or the operator for a token with that model.",
	Param: DefaultModelMember,
}

// ProblemModelRoute refuses a route of a backend that a token with a list of models may not
// use with any scopes.
var ProblemModelRoute = Problem{
	Status: http.StatusForbidden, Code: ProblemModel.Code, CodeNumber: ProblemModel.CodeNumber,
	Title: "The token may use some models only, and this route could change or reach others",
	Hint:  "Use a token without a list of models.",
}

// maxModelsShown bounds the patterns in a message.
const maxModelsShown = 8

// ModelNotAllowed returns the refusal of a model for an identity with this list.
func ModelNotAllowed(m *Models) *Problem {
	p := ProblemModel
	allowed := m.Patterns()
	if allowed == nil {
		allowed = []string{} // as JSON no null
	}
	p.Extra = map[string]any{"allowed_models": allowed}
	shown := allowed[:min(len(allowed), maxModelsShown)]
	p.Message = p.Title + "; it may use none."
	if len(shown) > 0 {
		p.Message = p.Title + "; it may use " + strings.Join(shown, ", ")
		if len(shown) < len(allowed) {
			p.Message += " and others"
		}
		p.Message += "."
	}
	return &p
}
