package page

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// budgetedSites are a page, a guard with a limit, budgets and usage before an engine, and one
// that is a shadow.
func budgetedSites(t *testing.T) site {
	t.Helper()
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"model":"llama","usage":{"prompt_tokens":7,"completion_tokens":5}}`)
	}))
	t.Cleanup(engine.Close)
	globals := strings.Replace(options, "\t\toptional true", "\t\tstate_dir "+t.TempDir()+"\n\t\ttoken few {env.TEST_FEW} infer {\n\t\t\tmodels llama\n\t\t\tbudget 100 tokens per day hard\n\t\t}\n\t\tbudget infer 20 requests per month", 1)
	const sites = `PAGE {
	bind 127.0.0.1
	authmin_page
}
OTHER {
	bind 127.0.0.1
	handle /trial {
		authmin trial {
			shadow
			limit 5 60s
		}
		respond ok
	}
	handle {
		authmin edge {
			require infer POST /v1/chat/completions
			model_in body /v1/chat/completions
			usage
			limit 600 60s
			inflight 9
			budget 40 requests per hour
		}
		reverse_proxy ENGINE
	}
}
`
	return load(t, "http://"+testkit.FreeAddress(t), globals+strings.Replace(sites, "ENGINE", strings.TrimPrefix(engine.URL, "http://"), 1))
}

func call(t *testing.T, s site, as, model string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.other+"/v1/chat/completions", strings.NewReader(`{"model":"`+model+`","max_tokens":10}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", as)
	answer, err := client.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("a call: %v, %v", err, answer)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}

// accountSeen is what a reader has of its own token.
type accountSeen struct {
	Models  []string
	Guards  int
	Limits  []map[string]any
	Budgets []budgetSeen
}

type budgetSeen struct {
	Identity, Of, Unit, Period string
	Resets                     string `json:"resets_at"`
	Amount, Used, Left         int64
	Hard                       bool
}

func (a *accountSeen) used(of string) int64 {
	for _, b := range a.Budgets {
		if b.Of == of {
			return b.Used
		}
	}
	return -1
}

// The page says of the reader's token what the guard says at /_llorch/me.
func TestTheHolderSeesItsAccount(t *testing.T) {
	s := budgetedSites(t)
	call(t, s, "Bearer "+tokenFew, "llama")
	few := follow(t, s.page+livePath, "Bearer "+tokenFew)
	got := find(few, "account", func(a accountSeen) bool { return a.used("token") == 12 }) // in place of the reservation
	answer := ask(t, t.Context(), http.MethodGet, s.other+"/_llorch/me", "Authorization: Bearer "+tokenFew)
	var me struct {
		Models  []string
		Budgets []budgetSeen
		Limit   map[string]any
	}
	if err := json.NewDecoder(answer.Body).Decode(&me); err != nil {
		t.Fatal(err)
	}
	if len(me.Budgets) != 3 || len(got.Budgets) != 3 || got.Guards != 2 || fmt.Sprint(got.Models) != fmt.Sprint(me.Models) {
		t.Fatalf("got %+v, and at the guard %+v", got, me)
	}
	for i, b := range got.Budgets {
		if b.Of = strings.TrimSuffix(b.Of, " edge"); b != me.Budgets[i] {
			t.Errorf("got %+v, and at the guard %+v", b, me.Budgets[i])
		}
	}
	me.Limit["guard"], me.Limit["left"] = "edge", got.Limits[0]["left"] // it grows with time
	if len(got.Limits) != 1 || fmt.Sprint(got.Limits[0]) != fmt.Sprint(me.Limit) {
		t.Errorf("got limits %v, and at the guard %v", got.Limits, me.Limit)
	}
}

// A holder of scope admin sees the budgets and the usage of all identities; another one sees
// the usage of its own.
func TestUsageAndBudgetsAreShown(t *testing.T) {
	s := budgetedSites(t)
	call(t, s, "Bearer "+tokenFew, "llama")
	call(t, s, asUser, "<b>")
	boss := follow(t, s.page+livePath, asBoss)
	all := find(boss, "usage", func(u usageList) bool { return u.Total == 2 })
	if one, two := all.Rows[0], all.Rows[1]; one.Identity != "few" || one.Model != "llama" || two.Identity != "user" || two.Model != "<b>" || one.Today.In != 7 || one.All.Out != 5 {
		t.Errorf("boss sees %+v", all.Rows)
	}
	type list struct {
		Total   int
		Budgets []budgetSeen
	}
	budgets := find(boss, "budgets", func(l list) bool { return l.Total == 5 && l.Budgets[0].Used == 12 })
	if b := budgets.Budgets[0]; b.Identity != "few" || b.Of != "token" || b.Amount != 100 || b.Left != 88 {
		t.Errorf("the first budget is %+v", b)
	}
	if b := budgets.Budgets[1]; b.Identity != "few" || b.Of != "scope infer" || b.Used != 1 {
		t.Errorf("the second budget is %+v", b)
	}
	few := follow(t, s.page+livePath, "Bearer "+tokenFew) // one more request of its budget
	own := find(few, "usage", func(u usageList) bool { return u.Total > 0 })
	if own.Total != 1 || own.Rows[0].Identity != "few" {
		t.Errorf("few sees %+v", own)
	}
	few.more("counts", 1) // they come after the lists
	if text := few.all.String(); strings.Contains(text, "event: budgets") || strings.Contains(text, `"user"`) {
		t.Errorf("few sees others:\n%s", text)
	}
}

// Lists whose every text JSON writes longer than it is still fit into an event.
func TestListsFitIntoAnEvent(t *testing.T) {
	text, err := json.Marshal(strings.Repeat("<", authmin.MaxLoggedHost))
	const figures = 400 // the numbers and names of a row
	if err != nil || maxUsage*(len(text)+figures) > maxMessage || maxBudgets*(3*64+figures) > maxMessage {
		t.Errorf("a row may have %d bytes: %v", len(text)+figures, err)
	}
}
