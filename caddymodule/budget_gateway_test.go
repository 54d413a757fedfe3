package caddymodule

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// noon is the time of the ledgers in these tests.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// budgeted are a token with these budgets in its block, and one without.
func budgeted(t *testing.T, lines ...string) string {
	t.Helper()
	ledgerClock = func() time.Time { return noon }
	t.Cleanup(func() { ledgerClock = nil })
	return "\tauthmin {\n\t\tstate_dir " + t.TempDir() + "\n\t\ttoken few {env.TEST_INFER} infer {\n\t\t\t" + strings.Join(lines, "\n\t\t\t") +
		"\n\t\t}\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n"
}

// budgetSite has a route of each place, and one that is in none.
func budgetSite(upstream string, options ...string) string {
	return "\n\tauthmin edge {\n\t\trequire infer /*\n\t\tmodel_in body /v1/chat/completions /v1/completions /api/chat /api/Chat /v2/tasks\n\t\tmodel_in form /v1/audio\n\t\tmodel_in path /v1/models/*\n\t\tmodel_free /v1/models\n\t\tusage\n\t\t" +
		strings.Join(options, "\n\t\t") + "\n\t}\n\treverse_proxy " + upstream + "\n"
}

// post sends a body with a token.
func (g *gateway) post(t *testing.T, path, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("POST", g.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range append(fields, asUser) {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	return send(t, plainClient(), r)
}

func TestABudgetOfRequestsIsNeverOverrun(t *testing.T) {
	u := newUpstream(t, nil)
	u.seen = make(chan *http.Request, 300)
	g := serve(t, false, budgeted(t, "budget 100 requests per day"), budgetSite(u.address()))
	refusals := func() float64 {
		return testutil.ToFloat64(shared.budgetRefused.WithLabelValues("edge", "few", "requests", "true"))
	}
	before := refusals()
	var allowed, refused atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			r, _ := http.NewRequest("GET", g.base+"/v1/models", nil)
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			answer, err := plainClient().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = answer.Body.Close()
			switch answer.StatusCode {
			case 200:
				allowed.Add(1)
			case 429:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 100 || refused.Load() != 100 || len(u.seen) != 100 {
		t.Errorf("%d of 200 are allowed, %d refused, the upstream got %d; want 100 of each", allowed.Load(), refused.Load(), len(u.seen))
	}
	if grown := refusals() - before; grown != 100 {
		t.Errorf("budget_refused_total, which an alert is about, grew by %v, want 100", grown)
	}
	if got := statusOf(t, g, "/v1/models", asBoss); got != 200 {
		t.Errorf("an identity without a budget: got %d", got)
	}
}

// A refusal tells each SDK what it has to know, and that sending again does not help.
func TestASpentBudgetIsToldInTheShapeOfEachSDK(t *testing.T) {
	g := serve(t, true, budgeted(t, "budget 1 requests per day", "budget 10k tokens per month"), budgetSite(newUpstream(t, nil).address()))
	if answer, _ := g.ask(t, clients(t)["HTTP/1.1"], "GET", "/v1/models", asUser); answer.StatusCode != 200 {
		t.Fatalf("the first request: got %d", answer.StatusCode)
	}
	for path, body := range map[string]string{
		"/v1/models":   `"code":"insufficient_quota","message":"The budget of this identity is spent: 0 of 1 requests per day are left until 2026-11-30T00:00:00Z, and the request needs 1.","param":null,"type":"rate_limit_error"`,
		"/v1/messages": `"type":"rate_limit_error"`,
		"/api/chat":    `"error":"The budget of this identity is spent`,
	} {
		for version, client := range clients(t) {
			answer, text := g.ask(t, client, "GET", path, asUser)
			if answer.StatusCode != 429 || !strings.Contains(text, body) || !strings.Contains(text, `"code":"BUDGET_SPENT"`) {
				t.Errorf("%s %s: got %d %s, want %s", version, path, answer.StatusCode, text, body)
			}
			expectFields(t, answer.Header, map[string]string{
				"Retry-After": "43200", "X-Should-Retry": "false",
				"RateLimit-Policy":               `"token-requests-day";q=1;w=86400, "token-tokens-month";q=10000;w=2592000;qu="tokens"`,
				"RateLimit":                      `"token-requests-day";r=0;t=43200, "token-tokens-month";r=10000;t=129600`,
				"X-Ratelimit-Remaining-Requests": "0", "X-Ratelimit-Limit-Requests": "1", "X-Ratelimit-Reset-Requests": "12h0m0s",
				"X-Ratelimit-Remaining-Tokens": "10000", "X-Ratelimit-Limit-Tokens": "10000", "X-Ratelimit-Reset-Tokens": "36h0m0s",
			})
		}
	}
}

func expectFields(t *testing.T, h http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := strings.Join(h.Values(name), " | "); got != value {
			t.Errorf("%s: %s, want %s", name, got, value)
		}
	}
}

// What an upstream says of its own limits would be read as the gateway's.
func TestTheFieldsOfAnUpstreamAreRemoved(t *testing.T) {
	u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"RateLimit", "RateLimit-Policy", "RateLimit-Limit", "X-RateLimit-Remaining-Tokens", "X-Ratelimit-Limit", "Anthropic-Ratelimit-Tokens-Remaining"} {
			w.Header().Set(name, "7")
		}
	})
	g := serve(t, false, budgeted(t, "budget 5 requests per day"), budgetSite(u.address(), "limit 20 1h"))
	answer, _ := g.ask(t, plainClient(), "GET", "/v1/models", asUser)
	expectFields(t, answer.Header, map[string]string{
		"RateLimit":                      `"limit";r=19;t=180, "token-requests-day";r=4;t=43200`,
		"RateLimit-Policy":               `"limit";q=20;w=3600, "token-requests-day";q=5;w=86400`,
		"X-Ratelimit-Remaining-Requests": "4", "X-Ratelimit-Remaining-Tokens": "", "X-Ratelimit-Limit": "",
		"RateLimit-Limit": "", "Anthropic-Ratelimit-Tokens-Remaining": "",
	})
	answer, _ = g.ask(t, plainClient(), "GET", "/v1/models", asBoss)
	expectFields(t, answer.Header, map[string]string{"RateLimit": `"limit";r=19;t=180`})
	answer, _ = g.post(t, "/v1/chat/completions", `{"max_tokens":0}`)
	expectFields(t, answer.Header, map[string]string{"RateLimit": `"limit";r=18;t=360, "token-requests-day";r=3;t=43200`})
}

func TestAnUpgradeIsNotCountedAndRefused(t *testing.T) {
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(newUpstream(t, nil).address()))
	answer, text := g.ask(t, plainClient(), "GET", "/v1/models", asUser, "Connection: Upgrade", "Upgrade: websocket")
	if answer.StatusCode != 400 || !strings.Contains(text, "NOT_COUNTED") {
		t.Errorf("got %d %s", answer.StatusCode, text)
	}
}

// The body that was read for its cost is forwarded byte for byte.
func TestABodyThatIsReadForABudgetIsForwardedAsItCame(t *testing.T) {
	got := ""
	u := rawUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
	})
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(u))
	body := ` { "x" : "` + strings.Repeat("ä", 100_000) + `", "max_tokens":3 }  `
	if answer, text := g.post(t, chatPath, body); answer.StatusCode != 200 || got != body {
		t.Errorf("got %d %s; the upstream got %d bytes, want %d as they were sent", answer.StatusCode, text, len(got), len(body))
	}
}

func TestBudgetsOfTokenScopeAndGuardApplyTogether(t *testing.T) {
	globals := strings.Replace(budgeted(t, "budget 10 requests per day"), "\t\ttoken boss", "\t\tbudget infer 3 requests per hour\n\t\ttoken boss", 1)
	g := serve(t, false, globals, budgetSite(newUpstream(t, nil).address(), "budget 2 requests per month"))
	for i, want := range []int{200, 200, 429} {
		if got := statusOf(t, g, "/v1/models", asUser); got != want {
			t.Errorf("request %d: %d, want %d", i+1, got, want)
		}
	}
	for _, want := range []int{200, 200, 429} { // each identity has its own count
		if got := statusOf(t, g, "/v1/models", asBoss); got != want {
			t.Errorf("another identity: %d, want %d", got, want)
		}
	}
}

func TestCountsSurviveAReloadAndARestart(t *testing.T) {
	globals, site := budgeted(t, "budget 2 requests per day"), budgetSite(newUpstream(t, nil).address())
	g := serve(t, false, globals, site)
	for _, want := range []int{200, 200, 429} {
		if got := statusOf(t, g, "/v1/models", asUser); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
		g.load(t, globals, site)
	}
	g.load(t, globals, "\trespond ok\n") // the last guard, and the ledger with it, stops
	g.load(t, "\tauthmin {\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n", site)
	g.load(t, globals, site)
	if got := statusOf(t, g, "/v1/models", asUser); got != 429 {
		t.Errorf("after a restart: got %d, want 429", got)
	}
}

// Where a guard listens, and which other guards there are, is not part of its counts:
// guards of one name have them in common.
func TestCountsOfAGuardAreThoseOfItsName(t *testing.T) {
	globals, site := budgeted(t, "models *"), budgetSite(newUpstream(t, nil).address(), "budget 2 requests per day")
	g := serve(t, false, globals, site)
	for _, want := range []int{200, 200, 429} {
		if got := statusOf(t, g, "/v1/models", asUser); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	g.load(t, globals, "\thandle /other/* {\n"+site+"\t}\n\thandle {\n"+site+"\t}\n")
	for _, path := range []string{"/v1/models", "/other/x"} {
		if got := statusOf(t, g, path, asUser); got != 429 {
			t.Errorf("%s, with another guard of the name: got %d, want 429", path, got)
		}
	}
}

// A directory that is taken away, or a full disk, gives no budget without a count.
func TestCountsThatCannotBeWrittenRefuse(t *testing.T) {
	globals := budgeted(t, "budget 9 requests per day")
	site := budgetSite(newUpstream(t, nil).address())
	g := serve(t, false, globals, site)
	dir := strings.Fields(globals)[3]
	value, _, _ := ledgers.LoadOrNew(filepath.Clean(dir), nil)
	if err := value.(*pooledLedger).Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledgers.Delete(filepath.Clean(dir)); err != nil {
		t.Fatal(err)
	}
	before := testutil.ToFloat64(shared.budgetUnavailable.WithLabelValues("edge"))
	answer, text := g.ask(t, plainClient(), "GET", "/v1/models", asUser)
	if grown := testutil.ToFloat64(shared.budgetUnavailable.WithLabelValues("edge")) - before; grown != 1 {
		t.Errorf("budget_unavailable_total, which an alert is about, grew by %v, want 1", grown)
	}
	if answer.StatusCode != 503 || !strings.Contains(text, "BUDGETS_UNAVAILABLE") || answer.Header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s", answer.StatusCode, text)
	}
	if got := statusOf(t, g, "/v1/models", asBoss); got != 200 {
		t.Errorf("an identity without a budget: got %d", got)
	}
	g.load(t, globals, budgetSite(newUpstream(t, nil).address(), "budget_fail open"))
	if got := statusOf(t, g, "/v1/models", asUser); got != 200 {
		t.Errorf("with budget_fail open: got %d", got)
	}
}
