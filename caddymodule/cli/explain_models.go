package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// applyModels refuses what the models of the token do not allow, and says what they mean
// for the request. --model stands for what a body or a form would name.
func (a *explanation) applyModels() error {
	d := &a.decision
	if !d.Allow || d.Public || d.Models == nil {
		return nil
	}
	if a.guard.ModelsAt == caddymodule.ModelsAtUpstream {
		a.models = a.leftToUpstream()
		return nil
	}
	models, err := a.guard.ModelRoutes()
	if err != nil {
		return fmt.Errorf("%s: guard %s: %w", a.guard.at, a.guard.Name, err)
	}
	routes, free := models.Find(a.question.method, d.Path)
	_, target := splitURL(a.question.url)
	_, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		a.refuseModel("the query has an invalid escape or a semicolon")
		return nil
	}
	asked := cmp.Or(a.question.model, values.Get(authmin.DefaultModelMember))
	for _, route := range routes {
		switch route.Place {
		case authmin.ModelInPath:
			asked = route.ModelOf(d.Path)
		case authmin.ModelInQuery:
			asked = cmp.Or(a.question.model, values.Get(route.Member))
		}
	}
	switch {
	case free && values.Get(authmin.DefaultModelMember) == "":
		a.models = "the path is in model_free: the request names no model"
	case len(routes) == 0 && !free:
		a.refuseModel(a.caller + " may use some models only, and the method and path are in neither model_in nor model_free")
	case asked == "":
		a.models = fmt.Sprintf("%s may use %s; name one with --model", a.caller, allowedModels(d.Models))
	case d.Models.Allow(asked):
		a.models = fmt.Sprintf("%s may use %s", a.caller, asked)
	default:
		a.refuseModel(fmt.Sprintf("%s may not use %s; it may use %s", a.caller, asked, allowedModels(d.Models)))
	}
	return nil
}

// leftToUpstream says what the upstream gets where the guard does not check the models.
func (a *explanation) leftToUpstream() string {
	m := a.decision.Models
	text := "models_at upstream: the upstream decides, and gets X-Auth-Models: " + m.String()
	switch asked := a.question.model; {
	case asked == "":
		return text
	case m.Allow(asked):
		return text + ", which allows " + asked
	default:
		return text + ", which does not allow " + asked + ": the orchestrator and the pool manager answer 403 MODEL_NOT_ALLOWED"
	}
}

func (a *explanation) refuseModel(why string) {
	a.models = why
	a.decision.Allow, a.decision.Reason, a.decision.Problem = false, authmin.ReasonModel, &authmin.ProblemModel
}

func allowedModels(m *authmin.Models) string { return strings.Join(m.Patterns(), ", ") }
