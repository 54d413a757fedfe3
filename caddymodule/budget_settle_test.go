package caddymodule

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// settled posts a body at a guard with a budget of a million tokens, and returns how many
// are charged when the call has ended.
func settled(t *testing.T, path, body string, answer http.HandlerFunc, options ...string) int64 {
	t.Helper()
	upstream := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			answer(w, r)
		}
	})
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(upstream, options...))
	g.post(t, path, body)
	g.usageOf(t, 1)
	return 1_000_000 - g.leftOf(t)
}

func figures(out string) string {
	return `data: {"usage":{"prompt_tokens":1,"completion_tokens":` + out + `}}` + "\n\n"
}

// A figure is judged by a bound that no figure has moved, and reserves within it once.
func TestAFigureInAStreamDoesNotMoveItsBound(t *testing.T) {
	for name, events := range map[string][]string{
		"one event":     {chatEvents[1], figures("1099511627776"), chatEvents[2]},
		"step by step":  {figures("1000"), figures("10000"), figures("100000"), figures("900000")},
		"at first text": {figures("1000"), chatEvents[1], figures("10000"), chatEvents[2], figures("100000")},
	} {
		t.Run(name, func(t *testing.T) {
			globals := budgeted(t, "budget 1M tokens per day")
			g := serve(t, false, globals, budgetSite(rawUpstream(t, answering(200, ofType("text/event-stream"), events...)), "budget_reserve 10"))
			g.post(t, chatPath, `{"max_tokens":100}`)
			if got := g.usageOf(t, 1)[0]; got["tokens_out"].(float64) > 1040 || got["outcome"] != "unreported" {
				t.Errorf("the record is %v", got)
			}
			journal, err := os.ReadFile(filepath.Join(strings.Fields(globals)[3], "budgets.journal"))
			if lines := strings.Count(string(journal), "\n"); err != nil || lines > 10 {
				t.Errorf("the journal has %d lines, %v", lines, err)
			}
			if got := 1_000_000 - g.leftOf(t); got < 104 || got > 1200 {
				t.Errorf("%d tokens are charged, want no more than ten times what was reserved", got)
			}
		})
	}
}

// Figures of a running stream reserve more, as its text does.
func TestFiguresOfARunningStreamEndItAtAHardBudget(t *testing.T) {
	answer := answering(200, ofType("text/event-stream"), chatEvents[1], figures("90"), chatEvents[1], figures("400"), chatEvents[1])
	g := serve(t, false, budgeted(t, "budget 300 tokens per day hard"), budgetSite(rawUpstream(t, answer), "budget_reserve 50"))
	if _, text := g.post(t, chatPath, `{"max_tokens":100}`); !strings.Contains(text, "BUDGET_SPENT") || strings.Count(text, `"content":"a"`) != 2 {
		t.Errorf("got %s", text)
	}
}

// A call that may have been worked on is charged; one that was refused is not.
func TestARefusalCostsNothingAndAFailureDoes(t *testing.T) {
	const reserved = 104
	task := map[string]string{"X-Task-Id": "t"}
	for status, want := range map[int]int64{
		400: 0, 401: 0, 403: 0, 404: 0, 405: 0, 411: 0, 413: 0, 415: 0, 422: 0, 429: 0, 501: 0, 503: 0,
		402: reserved, 406: reserved, 408: reserved, 409: reserved, 410: reserved, 499: reserved, 500: reserved, 502: reserved, 504: reserved,
	} {
		if got := settled(t, chatPath, `{"max_tokens":100}`, answering(status, nil)); got != want {
			t.Errorf("%d: %d tokens are charged, want %d", status, got, want)
		}
	}
	if got := settled(t, chatPath, `{"max_tokens":100}`, answering(503, task)); got != reserved {
		t.Errorf("503 of a task that was taken: %d tokens are charged, want %d", got, reserved)
	}
	if got := settled(t, chatPath, `{"max_tokens":100}`, answering(400, task)); got != 0 {
		t.Errorf("400 of a task that was taken: %d tokens are charged, want none", got)
	}
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	if got := settled(t, chatPath, `{"max_tokens":100}`, broken); got != reserved {
		t.Errorf("a connection that breaks: %d tokens are charged, want %d", got, reserved)
	}
}

func TestAnUpstreamThatIsGoneCostsNothing(t *testing.T) {
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(testkit.FreeAddress(t)))
	g.post(t, chatPath, `{"max_tokens":100}`)
	g.usageOf(t, 1)
	answer, _ := g.ask(t, plainClient(), "GET", "/v1/models", asUser)
	if got := answer.Header.Get("X-Ratelimit-Remaining-Tokens"); answer.StatusCode != 502 || got != "1000000" {
		t.Errorf("got %d, and %s tokens are left", answer.StatusCode, got)
	}
}

// Routes that generate nothing take no tokens of an answer.
func TestWhatGeneratesNothingCostsNoAnswer(t *testing.T) {
	body := `{"a":1234567,"max_tokens":100}` // 30 bytes
	for path, want := range map[string]int64{
		"/tokenize": 0, "/detokenize": 0, "/v1/tokenize": 0, "/apply-template": 0, "/api/show": 0,
		"/api/pull": 0, "/api/push": 0, "/api/create": 0, "/api/copy": 0,
		"/v1/messages/count_tokens": 0, "/v1/responses/input_tokens": 0, "/v1/chat/completions/input_tokens": 0,
		"/v1/models/tokenize": 7 + 1000, "/tokenize/x": 7 + 1000, "/show": 7 + 1000, chatPath: 7 + 100,
	} {
		if got := settled(t, path, body, answering(200, ofType("application/json"), `{"tokens":[1,2]}`), "budget_reserve 1000"); got != want {
			t.Errorf("%s: %d tokens are charged, want %d", path, got, want)
		}
	}
	g := serve(t, false, budgeted(t, "budget 10 tokens per day"), budgetSite(newUpstream(t, nil).address()))
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		for _, path := range []string{"/v1/models/m", "/other", chatPath} {
			if answer, text := g.ask(t, plainClient(), method, path, asUser); answer.StatusCode != 200 || answer.Header.Get("X-Ratelimit-Remaining-Tokens") != "10" {
				t.Errorf("%s %s: got %d %s, %v", method, path, answer.StatusCode, text, answer.Header)
			}
		}
	}
	if answer, _ := g.post(t, "/other", ""); answer.StatusCode != 429 {
		t.Errorf("POST /other: got %d, want 429", answer.StatusCode)
	}
}

// The document names the routes that generate nothing, all of them and no other.
func TestTheDocumentNamesTheRoutesThatCostNoAnswer(t *testing.T) {
	const first = "| one that ends with "
	_, row, _ := strings.Cut(readFile(t, "../deploy/docs/budgets.md"), "\n"+first)
	row, _, _ = strings.Cut(row, "|")
	var got []string
	for i, text := range strings.Split(row, "`") {
		if i%2 == 1 {
			got = append(got, text)
		}
	}
	if !slices.Equal(got, countRoutes) {
		t.Errorf("the row %q of budgets.md has %q, want %q", first, got, countRoutes)
	}
}

// A replay is a request like any other.
func TestAReplayIsARequest(t *testing.T) {
	upstream := rawUpstream(t, answering(200, replayedHeader, reported(30, 20)))
	g := serve(t, false, budgeted(t, "budget 2 requests per day", "budget 1M tokens per day"), budgetSite(upstream, "models_at upstream", "upstream_token {env.TEST_UPSTREAM}"))
	for i, want := range []int{200, 200, 429} {
		if answer, text := g.post(t, chatPath, `{"max_tokens":100}`); answer.StatusCode != want {
			t.Errorf("request %d: got %d %s, want %d", i+1, answer.StatusCode, text, want)
		}
	}
}

// A body that is held for its cost may take a minute: a token that is revoked meanwhile
// asks nothing.
func TestATokenWithABudgetIsJudgedAgainWhenItsBodyIsThere(t *testing.T) {
	ring := filepath.Join(t.TempDir(), "tokens")
	write := func(digest string) {
		writeFile(t, ring+".new", "# format 2\nfew sha256:"+digest+" infer budget=1Mtokens/day\n# end 1\n", 0o600)
		if err := os.Rename(ring+".new", ring); err != nil {
			t.Fatal(err)
		}
	}
	write(digestOf(tokenInfer).Hex())
	ledgerClock = func() time.Time { return noon }
	t.Cleanup(func() { ledgerClock = nil })
	u := newUpstream(t, nil)
	g := serve(t, false, "\tauthmin {\n\t\tstate_dir "+t.TempDir()+"\n\t\ttoken_file "+ring+"\n\t}\n", budgetSite(u.address()))
	body, sender := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, g.base+chatPath, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	status := make(chan int, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			status <- 0
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	if _, err := io.WriteString(sender, `{"max_tokens":1`); err != nil {
		t.Fatal(err)
	}
	write(digestOf(tokenAdmin).Hex())
	testkit.Eventually(t, "the revocation", func() bool {
		u.last() // it keeps 64
		return statusOf(t, g, "/v1/models", asUser) == 401
	})
	for u.last() != nil {
		continue
	}
	if _, err := io.WriteString(sender, "}"); err != nil {
		t.Fatal(err)
	}
	sender.Close()
	if got := <-status; got != 401 {
		t.Errorf("got %d, want 401", got)
	}
	if r := u.last(); r != nil {
		t.Errorf("the upstream was asked: %s %s", r.Method, r.URL)
	}
}
