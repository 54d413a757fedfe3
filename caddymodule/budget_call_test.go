package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// leftOf asks how many tokens are left.
func (g *gateway) leftOf(t *testing.T) int64 {
	t.Helper()
	answer, _ := g.ask(t, plainClient(), "GET", "/v1/models", asUser)
	left, err := strconv.ParseInt(answer.Header.Get("X-Ratelimit-Remaining-Tokens"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// charged asks for an answer and returns how many tokens it took of a budget of a million.
func (g *gateway) charged(t *testing.T, body string, fields ...string) (int64, string) {
	t.Helper()
	before := g.leftOf(t)
	_, text := g.post(t, chatPath, body, fields...)
	var taken int64
	testkit.Eventually(t, "the settlement", func() bool { taken = before - g.leftOf(t); return taken != 4+100 })
	return taken, text
}

func reported(in, out int) string {
	return fmt.Sprintf(`{"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`, in, out)
}

// replayed marks an answer as our backends do.
var replayedHeader = map[string]string{"Content-Type": "application/json", "X-Task-Replayed": "true"}

// The reservation is 4 for the prompt and 100 for the answer; figures are never 104 here.
func TestFiguresReplaceTheReservation(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		ours   bool // models_at upstream
		want   int64
	}{
		"reported":                {answering(200, ofType("application/json"), reported(30, 20)), false, 50},
		"reported in a stream":    {answering(200, ofType("text/event-stream"), chatEvents...), false, 46},
		"far above the limit":     {answering(200, ofType("application/json"), reported(4, 40_996)), false, 41_000},
		"above the bound":         {answering(200, ofType("application/json"), reported(4, 40_997)), false, 41_000},
		"a figure of a lie":       {answering(200, ofType("application/json"), reported(4, 1<<40)), false, 41_000},
		"refused by the upstream": {answering(400, ofType("application/json"), `{"error":{}}`), false, 0},
		"a replay of ours":        {answering(200, replayedHeader, reported(30, 20)), true, 0},
		"a longer replay of ours": {answering(200, replayedHeader, reported(1000, 40)), true, 1040 - 104},
		"a replay of others":      {answering(200, replayedHeader, reported(30, 20)), false, 50},
	} {
		t.Run(name, func(t *testing.T) {
			upstream := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" {
					c.answer(w, r)
				}
			})
			site := budgetSite(upstream)
			if c.ours {
				site = budgetSite(upstream, "models_at upstream", "upstream_token {env.TEST_UPSTREAM}")
			}
			g := serve(t, false, budgeted(t, "budget 1M tokens per day"), site)
			if got, _ := g.charged(t, `{"max_tokens":100}`); got != c.want {
				t.Errorf("%d tokens are charged, want %d", got, c.want)
			}
		})
	}
}

// What is not reported, or not believed, is charged as it was reserved.
func TestWhatIsNotReportedIsChargedAsReserved(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no figures":            answering(200, ofType("application/json"), `{}`),
		"a hostile figure":      answering(200, ofType("application/json"), reported(-1, 1)),
		"figures in text":       answering(200, ofType("application/json"), `{"x":"\"usage\":{\"prompt_tokens\":1}"}`),
		"a task to wait for":    answering(202, ofType("application/json"), reported(1, 1)),
		"a failure":             answering(500, ofType("application/json"), reported(1, 1)),
		"an encoded answer":     answering(200, map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}, zipped(reported(1, 1))),
		"a stream without them": answering(200, ofType("text/event-stream"), chatEvents[:3]...),
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{}, 1)
			upstream := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" {
					answer(w, r)
					done <- struct{}{}
				}
			})
			g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(upstream))
			g.post(t, chatPath, `{"max_tokens":100}`)
			<-done
			g.usageOf(t, 1) // the call has ended
			if got := 1_000_000 - g.leftOf(t); got != 104 {
				t.Errorf("%d tokens are charged, want 104", got)
			}
		})
	}
}

// An upstream may go on after its client has hung up, with an Idempotency-Key or without.
func TestACallThatHangsUpIsCharged(t *testing.T) {
	begun, free := make(chan struct{}), make(chan struct{})
	upstream := rawUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			_, _ = io.Copy(io.Discard, r.Body)
			close(begun)
			<-free
		}
	})
	defer close(free)
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(upstream))
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", g.base+chatPath, strings.NewReader(`{"max_tokens":100}`))
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	ended := make(chan error)
	go func() {
		_, err := plainClient().Do(r)
		ended <- err
	}()
	<-begun
	cancel()
	if err := <-ended; err == nil {
		t.Error("the request was answered")
	}
	g.usageOf(t, 1)
	if got := 1_000_000 - g.leftOf(t); got != 104 {
		t.Errorf("%d tokens are charged, want 104", got)
	}
}

// oneByOne streams events of one token each until its client is gone.
func oneByOne(w http.ResponseWriter, r *http.Request) {
	if r.Method != "POST" {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, chatEvents[1]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// A hard budget ends streams that have no limit of their own with the protocol's error
// event, all of them together at most one step of each beyond it.
func TestAHardBudgetEndsStreams(t *testing.T) {
	const streams, step, amount = 20, 50, 4000
	globals := budgeted(t, fmt.Sprintf("budget %d tokens per day hard", amount))
	g := serve(t, false, globals, budgetSite(rawUpstream(t, oneByOne), fmt.Sprintf("budget_reserve %d", step)))
	var mu sync.Mutex
	events := 0
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(`{}`))
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			answer, err := plainClient().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			late := answer.StatusCode == 429
			if err != nil || !strings.Contains(string(body), "BUDGET_SPENT") || !late && !strings.HasSuffix(string(body), "}\n\n") {
				t.Errorf("got %d, %v, and the end %q", answer.StatusCode, err, string(body[max(0, len(body)-300):]))
			}
			mu.Lock()
			defer mu.Unlock()
			events += strings.Count(string(body), `"content":"a"`)
		})
	}
	wg.Wait()
	if events > amount+streams*step || events < amount-streams*step {
		t.Errorf("%d tokens were streamed of %d, want at most %d more", events, amount, streams*step)
	}
	if answer, _ := g.post(t, "/other", ""); answer.StatusCode != 429 {
		t.Errorf("the next request: got %d, want 429", answer.StatusCode)
	}
}

// Without `hard` the stream goes on, and what it takes is a debt.
func TestASoftBudgetGoesIntoDebt(t *testing.T) {
	events := append(append([]string{}, strings.Split(strings.Repeat(chatEvents[1]+"|", 300), "|")[:300]...), chatEvents[4])
	answer := answering(200, ofType("text/event-stream"), events...)
	upstream := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			answer(w, r)
		}
	})
	g := serve(t, false, budgeted(t, "budget 100 tokens per day"), budgetSite(upstream, "budget_reserve 50"))
	if _, text := g.post(t, chatPath, `{}`); strings.Contains(text, "BUDGET_SPENT") || strings.Count(text, `"content":"a"`) != 300 {
		t.Errorf("the stream was ended: %d events", strings.Count(text, `"content":"a"`))
	}
	g.usageOf(t, 1)
	if answer, _ := g.post(t, "/other", ""); answer.StatusCode != 429 {
		t.Errorf("the next request: got %d, want 429", answer.StatusCode)
	}
}

// The model of a call's record is found in the body that was read for its cost.
func TestACallWithABudgetIsRecordedWithItsModel(t *testing.T) {
	long := strings.Repeat("x", 229) + " "
	globals := budgeted(t, "budget 1M tokens per day")
	g := serve(t, false, globals, budgetSite(rawUpstream(t, answering(200, ofType("application/json"), reported(3, 2)))))
	for i, c := range []struct{ path, body, want string }{
		{chatPath, `{"a":{"model":"x"},"models":["y"],"model":"tiny","max_tokens":1}`, "tiny"},
		{chatPath, `{"model":"tin\u0079","model":"big","max_tokens":1}`, "tiny"},
		{chatPath, `{"model":"` + long + tokenAdmin + `"}`, long + "[redacted]"}, // the scanner gives a part of it
		{chatPath, `{"model":3}`, ""},
		{"/other", `{"model":"tiny"}`, ""},
		{"/v1/models/small", `{"model":"tiny"}`, "small"},
	} {
		g.post(t, c.path, c.body)
		if got := g.usageOf(t, i+1)[i]["model"].(string); got != c.want {
			t.Errorf("%s: the record has model %q, want %q", c.body, got, c.want)
		}
	}
}
