package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/budget"
)

// budgetRetry is when a request may be sent again that was refused because of the journal.
const budgetRetry = time.Second

// checkBody checks the models of an identity and reserves its budgets. Of an identity
// without either it reads nothing.
func (g *Guard) checkBody(r *http.Request, s *requestState, d *authmin.Decision) refusal {
	claims := g.claimsOf(d)
	counted := claims != nil && includeTokens(claims)
	if counted {
		s.cost = &requestCost{path: d.Path}
	}
	restricted := d.Models != nil && g.ModelsAt != ModelsAtUpstream
	s.lenient = g.ShadowBudget && !restricted
	if restricted {
		if refused := g.checkModels(r, s, d); refused.problem != nil {
			return refused
		}
	} else if counted {
		if problem := g.readCost(r, s, d); problem != nil {
			if refused := g.enforced(s, refusalOfBody(costProblem(problem))); refused.problem != nil {
				return refused
			}
		}
		if refused := g.judgeAgain(s, d); refused.problem != nil {
			return refused
		}
	}
	if claims == nil {
		return refusal{}
	}
	return g.enforced(s, g.reserve(r, s, d, claims))
}

// enforced is a refusal because of a budget; none with shadow_budget, which notes its reason
// for the record of the decision.
func (g *Guard) enforced(s *requestState, r refusal) refusal {
	if !g.ShadowBudget || r.problem == nil {
		return r
	}
	s.would = r.reason
	return refusal{}
}

// costProblem is the problem of a body that was read for what it may cost, and not for a
// model.
func costProblem(p *authmin.Problem) *authmin.Problem {
	if p.Code != problemModelAmbiguous.Code {
		return p
	}
	limit := problemLimit
	limit.Message = limit.Title + strings.TrimPrefix(p.Message, problemModelAmbiguous.Title)
	return &limit
}

// readCost reads what a request may cost, where its models are not read.
func (g *Guard) readCost(r *http.Request, s *requestState, d *authmin.Decision) *authmin.Problem {
	routes, free := s.modelRoutes(g, r.Method, d.Path)
	inBody, inForm := false, false
	for _, route := range routes {
		if route.Place == authmin.ModelInBody {
			inBody = true
			s.cost.modelIn = append(s.cost.modelIn, strings.Split(route.Member, "."))
		}
		inForm = inForm || route.Place == authmin.ModelInForm
	}
	switch {
	case free:
		return nil
	case !inBody && !inForm:
		return g.readOther(r, s, d)
	case inBody:
		_, problem := g.modelsInBody(r, s, d, nil, nil)
		return problem
	}
	_, problem := g.modelsInForm(r, s, d, nil, nil)
	return problem
}

// tokensOf returns what is reserved for the prompt and for the answer of a request.
func (g *Guard) tokensOf(r *http.Request, s *requestState, path string) (prompt, answer int64) {
	routes, free := s.modelRoutes(g, r.Method, path)
	if free {
		return 0, 0
	}
	prompt, answer = s.cost.prompt, s.cost.answerTokens(g.BudgetReserve)
	if s.cost.bytes == 0 && r.ContentLength > 0 && (len(routes) > 0 || r.ContentLength > g.MaxBody) { // a body that is not read
		prompt = r.ContentLength / bytesPerToken
	}
	if s.noOutput || isReading(r.Method) {
		answer = 0
	}
	return prompt, answer
}

// reserve reserves the budgets of a request before it is forwarded.
func (g *Guard) reserve(r *http.Request, s *requestState, d *authmin.Decision, claims []budget.Claim) refusal {
	if s.cost != nil {
		if _, upgrade := r.Header["Upgrade"]; upgrade { // what is said after it cannot be counted
			refused := g.enforced(s, refusal{authmin.ReasonBudget, &problemUncounted, 0})
			if refused.problem != nil {
				return refused
			}
		}
		s.noOutput = g.isCountRoute(s, r.Method, d.Path)
		prompt, answer := g.tokensOf(r, s, d.Path)
		s.granted, s.reserved = answer, budget.Add(prompt, answer)
		s.usual = s.reserved
		if answer > 0 {
			s.usual = max(s.reserved, budget.Add(prompt, s.cost.usualAnswer(g.BudgetReserve)))
		}
		for i := range claims {
			if claims[i].Budget.Unit == authmin.BudgetTokens {
				claims[i].Amount = s.reserved
			}
		}
	}
	if g.app.ledger == nil { // a keyring file got a budget after the start
		g.budgetMetrics.unavailable.Inc()
		return refusal{authmin.ReasonBudget, &problemNoBudgets, budgetRetry}
	}
	reservation, err := g.app.ledger.Reserve(claims)
	if spent, ok := errors.AsType[*budget.SpentError](err); ok {
		s.showBudgets(g, claims, g.app.ledger.States(claims))
		g.budgetMetrics.refuse(d.Name, spent.Claim.Budget.Unit, true)
		return refusal{authmin.ReasonBudget, budgetSpent(spent), max(time.Second, spent.State.In)}
	}
	if err != nil {
		g.budgetMetrics.unavailable.Inc()
	}
	switch {
	case errors.Is(err, budget.ErrFull):
		return refusal{authmin.ReasonBudget, &problemBudgetsFull, budgetRetry}
	case err != nil:
		return refusal{authmin.ReasonBudget, &problemNoBudgets, budgetRetry}
	}
	s.reservation, s.spending, s.spender = reservation, g.budgetMetrics, d.Name
	if reservation.Over() != nil {
		s.would = authmin.ReasonBudget
		g.countOver(s, d.Name)
	}
	s.showBudgets(g, claims, g.app.ledger.States(claims))
	return refusal{}
}

// budgetSpent is the answer to a request for which a budget has too little left.
func budgetSpent(e *budget.SpentError) *authmin.Problem {
	p := authmin.ProblemBudgetSpent
	b := e.Claim.Budget
	p.Extra = map[string]any{"budget": b.String(), "left": e.State.Left, "needed": e.Claim.Amount, "resets_at": e.State.Reset.UTC().Format(time.RFC3339)}
	p.Message = fmt.Sprintf("%s: %d of %s are left until %s, and the request needs %d.", p.Title, e.State.Left, b.Words(), e.State.Reset.UTC().Format(time.RFC3339), e.Claim.Amount)
	if b.Unit == authmin.BudgetTokens && e.State.Left > 0 {
		p.Message += " A smaller limit of tokens in the request needs less."
	}
	return &p
}

var (
	problemNoBudgets = authmin.Problem{
		Status: http.StatusServiceUnavailable, Code: "BUDGETS_UNAVAILABLE", CodeNumber: 50322,
		Title: "The budgets of this identity cannot be counted",
		Hint:  "Try again as Retry-After says. The operator looks into the log of the gateway: its state_dir is missing or cannot be written.",
	}
	problemBudgetsFull = authmin.Problem{
		Status: http.StatusServiceUnavailable, Code: "BUDGETS_FULL", CodeNumber: 50323,
		Title: "The budgets of too many identities are counted",
		Hint:  "Try again as Retry-After says.",
	}
)
