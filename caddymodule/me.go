package caddymodule

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// mePath is answered by every guard that is no shadow, before its rules: what the caller's
// own token may do.
const mePath = "/_llorch/me"

// IsMe reports whether a request asks for its own identity: the guard then answers it
// itself, before its rules.
func (g *Guard) IsMe(method, target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return path == mePath && (method == http.MethodGet || method == http.MethodHead) && !g.Shadow
}

// meAnswer is what a caller may know of itself, and of nothing else.
type meAnswer struct {
	Name    string          `json:"name"`
	Guard   string          `json:"guard"`
	Scopes  []authmin.Scope `json:"scopes"`
	Models  []string        `json:"models,omitempty"`  // none: every model
	Expires string          `json:"expires,omitempty"` // RFC 3339; none: never
	Limit   *meLimit        `json:"limit,omitempty"`
	Budgets []meBudget      `json:"budgets,omitempty"`
}

// meLimit are the guard's limits for each identity.
type meLimit struct {
	Requests int     `json:"requests,omitempty"` // in Window
	Window   float64 `json:"window_seconds,omitempty"`
	Burst    int     `json:"burst,omitempty"`
	Left     *int64  `json:"left,omitempty"` // of Burst; none without Requests
	Inflight int     `json:"inflight,omitempty"`
}

// meBudget is one budget of the caller.
type meBudget struct {
	Of     string               `json:"of"` // `token`, `scope NAME` or `guard`
	Amount int64                `json:"amount"`
	Unit   authmin.BudgetUnit   `json:"unit"`
	Period authmin.BudgetPeriod `json:"period"`
	Hard   bool                 `json:"hard,omitempty"`
	Shadow bool                 `json:"shadow,omitempty"` // it is counted, and refuses nothing
	Used   int64                `json:"used"`             // with what running requests have reserved
	Left   int64                `json:"left"`
	Resets string               `json:"resets_at"`
}

// me collects what a caller may know of itself.
func (g *Guard) me(d *authmin.Decision, now time.Time) *meAnswer {
	answer := &meAnswer{Name: d.Name, Guard: g.Name, Scopes: d.Scopes}
	if d.Models != nil {
		answer.Models = append([]string{}, d.Models.Patterns()...)
	}
	if d.Token != nil && d.Token.Expires != 0 {
		answer.Expires = time.Unix(d.Token.Expires, 0).UTC().Format(time.RFC3339)
	}
	if g.limits != (limitRule{}) {
		answer.Limit = &meLimit{Requests: g.limits.requests, Window: g.limits.window.Seconds(), Burst: g.limits.burst, Inflight: g.limits.inflight}
		if g.limits.requests > 0 {
			left := g.app.state.limits.left(limitKey{g.limitName, d.Name}, g.limits, now)
			answer.Limit.Left = &left
		}
	}
	claims := g.claimsOf(d)
	if len(claims) == 0 || g.app.ledger == nil {
		return answer
	}
	for i, state := range g.app.ledger.States(claims) {
		b := state.Budget
		answer.Budgets = append(answer.Budgets, meBudget{
			Of: budgetOf(claims[i].Key), Amount: b.Amount, Unit: b.Unit, Period: b.Period, Hard: b.Hard, Shadow: claims[i].Shadow,
			Used: state.Used, Left: state.Left, Resets: state.Reset.UTC().Format(time.RFC3339),
		})
	}
	return answer
}

// answerMe answers a caller that asks for its own identity.
func (g *Guard) answerMe(r *http.Request, s *requestState, d *authmin.Decision) error {
	g.showLeft(s, d)
	body, err := json.Marshal(g.me(d, s.start))
	if err != nil {
		return err
	}
	h := s.response.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.ProtoMajor == 1 && r.ContentLength != 0 { // it is not read: see refuse
		h.Set("Connection", "close")
	}
	s.response.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = s.response.Write(body)
	return err
}
