package caddymodule

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/budget"
)

// The fields of an answer that tell what is left: those of
// draft-ietf-httpapi-ratelimit-headers-10, and OpenAI's, which SDKs read.
const (
	headerRateLimit       = "Ratelimit"
	headerRateLimitPolicy = "Ratelimit-Policy"
	prefixOpenAI          = "X-Ratelimit-"
	prefixAnthropic       = "Anthropic-Ratelimit-"
)

// quotaFields are the fields of one answer. An upstream's own are removed.
type quotaFields struct {
	policy, left     []string // items of RateLimit-Policy and of RateLimit
	tokens, requests *quota   // the one of each unit with the least left; nil: none

	budgets, limit bool // they are in it
}

// quota is what is left of one budget or limit.
type quota struct {
	limit, left int64
	reset       time.Duration
}

// add adds a budget or limit under a name that occurs once in an answer.
func (f *quotaFields) add(name string, q quota, window time.Duration, unit authmin.BudgetUnit) {
	seconds := int64((q.reset + time.Second - 1) / time.Second)
	policy := `"` + name + `";q=` + strconv.FormatInt(q.limit, 10) + `;w=` + strconv.FormatInt(int64(window/time.Second), 10)
	least := &f.requests
	if unit == authmin.BudgetTokens {
		policy += `;qu="tokens"`
		least = &f.tokens
	}
	f.policy = append(f.policy, policy)
	f.left = append(f.left, `"`+name+`";r=`+strconv.FormatInt(q.left, 10)+`;t=`+strconv.FormatInt(seconds, 10))
	if *least == nil || q.left < (*least).left {
		*least = &q
	}
}

// set replaces the fields of an answer.
func (f *quotaFields) set(h http.Header) {
	for name := range h {
		if name == headerRateLimit || name == headerRateLimitPolicy || strings.HasPrefix(name, prefixOpenAI) || strings.HasPrefix(name, prefixAnthropic) || strings.HasPrefix(name, "Ratelimit-") {
			delete(h, name)
		}
	}
	h[headerRateLimitPolicy] = []string{strings.Join(f.policy, ", ")}
	h[headerRateLimit] = []string{strings.Join(f.left, ", ")}
	for unit, q := range map[string]*quota{"Tokens": f.tokens, "Requests": f.requests} {
		if q != nil {
			h[prefixOpenAI+"Limit-"+unit] = []string{strconv.FormatInt(q.limit, 10)}
			h[prefixOpenAI+"Remaining-"+unit] = []string{strconv.FormatInt(q.left, 10)}
			h[prefixOpenAI+"Reset-"+unit] = []string{q.reset.Truncate(time.Second).String()}
		}
	}
}

// showBudgets adds the budgets of a request to the fields of its answer.
func (s *requestState) showBudgets(g *Guard, claims []budget.Claim, states []budget.State) {
	if g.Shadow || g.ShadowBudget {
		return
	}
	s.startQuotas()
	s.quotas.budgets = true
	for i, state := range states {
		start, end := budget.Window(state.Budget.Period, state.Reset.Add(-time.Second))
		name := strings.ReplaceAll(budgetOf(claims[i].Key), " ", "-") + "-" + string(state.Budget.Unit) + "-" + string(state.Budget.Period)
		s.quotas.add(name, quota{state.Budget.Amount, state.Left, max(0, state.In)}, end.Sub(start), state.Budget.Unit)
	}
	s.quotas.set(s.response.Header())
}

// startQuotas makes the fields of the answer, where there are none yet.
func (s *requestState) startQuotas() {
	if s.quotas == nil {
		s.quotas = new(quotaFields)
	}
}

// showLeft adds to an answer of the guard itself what it does not yet say of the limit and the
// budgets of the caller: the checks that add them come after the one that refused, or do not
// apply to the request.
func (g *Guard) showLeft(s *requestState, d *authmin.Decision) {
	if d.Name == "" || d.Public || d.BadToken() {
		return
	}
	if s.quotas == nil || !s.quotas.limit {
		s.showLimit(g, d)
	}
	if s.quotas != nil && s.quotas.budgets || g.app.ledger == nil {
		return
	}
	if claims := g.claimsOf(d); claims != nil {
		s.showBudgets(g, claims, g.app.ledger.States(claims))
	}
}

// budgetOf is what a budget is of, by the key of its count: `token`, `scope NAME` or `guard`.
func budgetOf(key string) string {
	of, rest, _ := strings.Cut(key, " ")
	if of == budgetOfScope {
		name, _, _ := strings.Cut(rest, " ")
		return of + " " + name
	}
	return of
}

// showLimit adds the rate of an identity to the fields of its answer.
func (s *requestState) showLimit(g *Guard, d *authmin.Decision) {
	if g.Shadow || g.limits.requests == 0 {
		return
	}
	s.startQuotas()
	s.quotas.limit = true
	left := g.app.state.limits.left(limitKey{g.limitName, d.Name}, g.limits, s.start)
	reset := g.limits.window * time.Duration(max(0, int64(g.limits.burst)-left)) / time.Duration(g.limits.requests)
	s.quotas.add("limit", quota{int64(g.limits.requests), left, reset}, g.limits.window, authmin.BudgetRequests)
	s.quotas.set(s.response.Header())
}
