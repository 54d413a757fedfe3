package caddymodule

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// shadowSite is budgetSite with a guard of another name, since counters outlive a test.
func shadowSite(upstream string, options ...string) (guard, site string) {
	guard = strings.ToLower(rand.Text())
	return guard, strings.Replace(budgetSite(upstream, options...), "authmin edge", "authmin "+guard, 1)
}

// wouldBeRefused is how many refusals by budgets of tokens a guard counts that are not
// enforced; one that is enforced is an error.
func wouldBeRefused(t *testing.T, guard string) float64 {
	t.Helper()
	if got := testutil.ToFloat64(shared.budgetRefused.WithLabelValues(guard, "few", "tokens", "true")); got != 0 {
		t.Errorf("%v refusals are enforced", got)
	}
	return testutil.ToFloat64(shared.budgetRefused.WithLabelValues(guard, "few", "tokens", "false"))
}

// A budget that only counts refuses nothing, and the trail and the metrics say what it would
// have refused.
func TestAShadowBudgetRefusesNothing(t *testing.T) {
	for _, option := range []string{"shadow_budget", "shadow"} {
		t.Run(option, func(t *testing.T) {
			guard, site := shadowSite(newUpstream(t, nil).address(), option)
			g := serve(t, false, budgeted(t, "budget 9 requests per day", "budget 100k tokens per day"), site)
			bodies := []string{`{"max_tokens":1}`, `{"max_tokens":0}`, `no JSON`, `{"background":true}`, `{"max_tokens":200000}`, `{"max_tokens":1}`}
			for _, body := range bodies {
				if answer, text := g.post(t, chatPath, body); answer.StatusCode != 200 || answer.Header.Get("RateLimit") != "" {
					t.Errorf("%s: got %d %s", body, answer.StatusCode, text)
				}
			}
			want := slices.Repeat([]string{"would_deny budget <nil>"}, len(bodies))
			want[0] = "allow  <nil>"
			var got []string
			for _, r := range g.recordsOf(t, len(bodies)) {
				got = append(got, fmt.Sprint(r["decision"], " ", r["reason"], " ", r["status"]))
			}
			if !slices.Equal(got, want) {
				t.Errorf("the trail has %q, want %q", got, want)
			}
			for label, want := range map[decisionLabel]float64{labelledAllowed: 1, labelledRefused: 0, labelledShadow: 5} {
				if got := testutil.ToFloat64(shared.decisions.WithLabelValues(guard, string(label))); got != want {
					t.Errorf("%v decisions are %s, want %v", got, label, want)
				}
			}
			if got := wouldBeRefused(t, guard); got != 2 {
				t.Errorf("%v refusals by a budget are counted, want 2", got)
			}
		})
	}
}

// A stream that a hard budget would have ended is counted once, and goes on.
func TestAShadowBudgetEndsNoStream(t *testing.T) {
	events := append(slices.Repeat([]string{chatEvents[1]}, 300), chatEvents[4])
	answer := answering(200, ofType("text/event-stream"), events...)
	upstream := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			answer(w, r)
		}
	})
	guard, site := shadowSite(upstream, "budget_reserve 50", "shadow_budget")
	g := serve(t, false, budgeted(t, "budget 100 tokens per day hard"), site)
	if _, text := g.post(t, chatPath, `{}`); strings.Contains(text, "BUDGET_SPENT") || strings.Count(text, `"content":"a"`) != 300 {
		t.Errorf("the stream was ended: %d events", strings.Count(text, `"content":"a"`))
	}
	g.usageOf(t, 1)
	if got := wouldBeRefused(t, guard); got != 1 {
		t.Errorf("%v refusals by a budget are counted, want 1", got)
	}
}

// What cannot be counted is no reason to refuse a model, where budgets only count.
func TestAShadowBudgetLeavesTheModelsOfATokenAlone(t *testing.T) {
	guard, site := shadowSite(newUpstream(t, nil).address(), "shadow_budget")
	g := serve(t, false, budgeted(t, "models tiny", "budget 100k tokens per day"), site)
	for _, c := range []struct {
		body string
		want int
	}{
		{`{"model":"tiny","max_tokens":1}`, 200},
		{`{"model":"tiny","max_tokens":0}`, 200},
		{`{"model":"tiny","max_tokens":1,"max_tokens":2}`, 200},
		{`{"model":"big","max_tokens":1}`, 403},
		{`{"model":"tiny","model":"big"}`, 400},
		{`{"model":"tiny","max_tokens":200000}`, 200},
	} {
		if answer, text := g.post(t, chatPath, c.body); answer.StatusCode != c.want {
			t.Errorf("%s: got %d %s, want %d", c.body, answer.StatusCode, text, c.want)
		}
	}
	if got := testutil.ToFloat64(shared.decisions.WithLabelValues(guard, string(labelledShadow))); got != 3 {
		t.Errorf("%v decisions are would_deny, want 3", got)
	}
}
