package caddymodule

import (
	"net/http"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// checkModels refuses a request for a model that its identity may not use, a route in
// neither model_in nor model_free, and a request that can be read in two ways. It is called
// only for identities with a list of models. A body is read to its end before the request
// is forwarded, and forwarded byte for byte.
func (g *Guard) checkModels(r *http.Request, s *requestState, d *authmin.Decision) refusal {
	if _, upgrade := r.Header["Upgrade"]; upgrade { // what is said after it cannot be read
		return refusal{authmin.ReasonModel, &problemModelUpgrade, 0}
	}
	routes, free := s.modelRoutes(g, r.Method, d.Path)
	switch {
	case free:
		return g.checkFree(r, s, d)
	case len(routes) == 0:
		return refusal{authmin.ReasonModel, &problemModelRoute, 0}
	}
	names, problem := g.askedModels(r, s, d, routes)
	if problem != nil {
		return refusalOfBody(problem)
	}
	s.models = strings.Join(names, ",") // for the record of the decision, refused or not
	for _, name := range names {
		if !d.Models.Allow(name) {
			return refusal{authmin.ReasonModel, authmin.ModelNotAllowed(d.Models), 0}
		}
	}
	s.live.models = names
	return g.judgeAgain(s, d)
}

// checkFree refuses a route that names no model, and does so in its query all the same: an
// upstream may read it there, as llama.cpp does in GET /metrics?model=.
func (g *Guard) checkFree(r *http.Request, s *requestState, d *authmin.Decision) refusal {
	named := []namedModel{{member: authmin.DefaultModelMember}}
	if problem := addQuery(named, queriesOf(r, s)); problem != nil {
		return refusalOfBody(problem)
	}
	s.models = named[0].value
	if name := named[0].value; name != "" && !d.Models.Allow(name) {
		return refusal{authmin.ReasonModel, authmin.ModelNotAllowed(d.Models), 0}
	}
	return refusal{}
}

// judgeAgain looks a token up again when the body is there, which may have taken a minute,
// also in the keyring of a newer configuration: a request is not forwarded for a token that
// was revoked, or lost the model, before its last byte came.
func (g *Guard) judgeAgain(s *requestState, d *authmin.Decision) refusal {
	if d.Token == nil {
		return refusal{}
	}
	q := g.liveRequest(s, d)
	for _, ring := range []*authmin.Keyring{g.decider.Keyring(), g.app.state.live.swept()} {
		if ring == nil {
			continue
		}
		switch reason, models := q.judge(ring, time.Now()); reason {
		case authmin.ReasonNone:
		case authmin.ReasonModel:
			return refusal{reason, authmin.ModelNotAllowed(models), 0}
		default:
			return refusal{reason, authmin.ProblemFor(reason), 0}
		}
	}
	return refusal{}
}

// refusalOfBody is the refusal for a problem of what a request says, or of its body.
func refusalOfBody(problem *authmin.Problem) refusal {
	switch problem.Code {
	case problemModelAmbiguous.Code, problemModelMissing.Code, authmin.ProblemModel.Code:
		return refusal{authmin.ReasonModel, problem, 0}
	case problemLimit.Code, problemUncounted.Code:
		return refusal{authmin.ReasonBudget, problem, 0}
	case problemBodyMemory.Code:
		return refusal{authmin.ReasonBody, problem, bodyMemoryRetry}
	}
	return refusal{authmin.ReasonBody, problem, 0}
}

// askedModels returns the models that a request names, at least one.
func (g *Guard) askedModels(r *http.Request, s *requestState, d *authmin.Decision, routes []authmin.ModelRoute) ([]string, *authmin.Problem) {
	named := make([]namedModel, 0, len(routes))
	var inBody, inForm []string
	for _, route := range routes {
		switch route.Place {
		case authmin.ModelInBody:
			inBody = append(inBody, route.Member)
		case authmin.ModelInForm:
			inForm = append(inForm, route.Member)
		case authmin.ModelInQuery:
			named = append(named, namedModel{member: route.Member})
		default:
			named = append(named, namedModel{value: route.ModelOf(d.Path)})
		}
	}
	var problem *authmin.Problem
	switch {
	case len(inBody) > 0:
		named, problem = g.modelsInBody(r, s, d, named, inBody)
	case len(inForm) > 0:
		named, problem = g.modelsInForm(r, s, d, named, inForm)
	}
	if problem != nil {
		return nil, problem
	}
	if problem := addQuery(named, queriesOf(r, s)); problem != nil {
		return nil, problem
	}
	return distinctModels(named)
}

// namedModel is a model where a request names it.
type namedModel struct {
	member string // "" in a path
	value  string // "" where the request does not name it
}

// distinctModels returns the values, each of which is a name in one reading. Where a route
// has several members, one is enough; Ollama takes `name` for `model`, so that both have one value.
func distinctModels(named []namedModel) (names []string, problem *authmin.Problem) {
	synonym := ""
	for _, n := range named {
		if n.value == "" {
			continue
		}
		if len(n.value) > authmin.MaxModelName || strings.ContainsFunc(n.value, isUnprintable) {
			return nil, ambiguousModel("the name of a model is longer than 256 bytes, or has a character that is not printable")
		}
		if n.member == authmin.DefaultModelMember || n.member == "name" {
			if synonym != "" && synonym != n.value {
				return nil, ambiguousModel("model and name differ")
			}
			synonym = n.value
		}
		names = append(names, n.value)
	}
	if len(names) == 0 {
		return nil, &problemModelMissing
	}
	return names, nil
}

// isUnprintable accepts what a model can be called in a log and a header. Engines may trim
// white space, so that a name with a space at its end is another's.
func isUnprintable(c rune) bool { return c <= ' ' || c == 0x7f || c == 0xfffd }

// ambiguousModel is a refusal with what is wrong, in our own words.
func ambiguousModel(why string) *authmin.Problem {
	p := problemModelAmbiguous
	p.Message = p.Title + ": " + why + "."
	return &p
}

var (
	problemModelRoute = authmin.Problem{
		Status: http.StatusForbidden, Code: authmin.ProblemModel.Code, CodeNumber: authmin.ProblemModel.CodeNumber,
		Title: "The token may use some models only, and the policy does not say where this route names a model",
		Hint:  "The operator lists the route in model_in or in model_free.",
	}
	problemModelUpgrade = authmin.Problem{
		Status: http.StatusForbidden, Code: authmin.ProblemModel.Code, CodeNumber: authmin.ProblemModel.CodeNumber,
		Title: "The token may use some models only, and a connection that is upgraded could ask for any",
		Hint:  "Send the request without Upgrade.",
	}
	problemModelAmbiguous = authmin.Problem{
		Status: http.StatusBadRequest, Code: "MODEL_AMBIGUOUS", CodeNumber: 40019,
		Title: "The request can be read as one for another model",
		Hint:  "Name the model once, in one JSON object in UTF-8, under the documented name in its own spelling.",
		Param: authmin.DefaultModelMember,
	}
	problemModelMissing = authmin.Problem{
		Status: http.StatusBadRequest, Code: "MODEL_MISSING", CodeNumber: 40013,
		Title: "The request names no model",
		Hint:  "Name a model that the token may use.",
		Param: authmin.DefaultModelMember,
	}
	problemBodyEncoded = authmin.Problem{
		Status: http.StatusUnsupportedMediaType, Code: "CONTENT_ENCODING", CodeNumber: 41502,
		Title: "The body of the request is encoded",
		Hint:  "Send the body as it is, without compression and without Content-Encoding: the model and the limits in it are checked before the request is forwarded.",
	}
	problemBodyLarge = authmin.Problem{
		Status: http.StatusRequestEntityTooLarge, Code: "BODY_TOO_LARGE", CodeNumber: 41301,
		Title: "The body of the request is too large",
		Hint:  "Send a smaller one. The operator sets the bound with max_body.",
	}
	problemBodyMemory = authmin.Problem{
		Status: http.StatusServiceUnavailable, Code: "BODY_MEMORY", CodeNumber: 50321,
		Title: "Too many bodies are being read",
		Hint:  "Try again as Retry-After says. The operator sets the memory for bodies with body_memory.",
	}
)
