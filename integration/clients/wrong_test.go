package clients_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// wrongs are the rows of "What goes wrong" in deploy/docs/clients.md that a client can
// bring about here, each with requests that do: token, method, path and body.
var wrongs = map[string][][4]string{
	"401 `MISSING_TOKEN`":      {{"", "GET", "/v1/models", ""}, {"", "POST", "/v1/chat/completions", "{}"}},
	"401 `BAD_TOKEN`":          {{"x-of-no-keyring-0123456789012345678901234567", "GET", "/v1/models", ""}, {"with a space-0123456789012345678901234567", "GET", "/v1/models", ""}},
	"403 `INSUFFICIENT_SCOPE`": {{"other", "GET", "/v1/models", ""}},
	"403 `DENIED`, of a route": {{"user", "POST", "/v1/audio/speech", "{}"}, {"user", "GET", "/v1/files", ""}},
	"403 `DENIED`, of every route": {
		{"user", "POST", "/v1/v1/chat/completions", "{}"}, {"user", "POST", "/chat/completions", "{}"}, {"user", "GET", "/models", ""}, {"user", "POST", "/v1/v1/messages", "{}"},
	},
	"404 `MODEL_NOT_AVAILABLE`, `model_not_found`": {{"user", "POST", "/v1/chat/completions", `{"model":"none","messages":[]}`}, {"user", "POST", "/api/chat", `{"model":"none"}`}},
	"400 `INVALID_JSON`, `MEMBER_AMBIGUOUS`": {
		{"user", "POST", "/v1/chat/completions", `{"model":"demo",}`}, {"user", "POST", "/v1/chat/completions", `{"model":"demo","model":"demo"}`},
	},
}

// elsewhere are the rows that other tests bring about.
var elsewhere = []string{
	"200 from another model, with `X-Model-Used`", // TestAFallback… of orchestrator/httpapi
	"422 `PROTOCOL_NOT_SERVED`",                   // TestUpUsesAServerThatRuns, with Ollama's
	"429 `LIMITED`",                               // the limit tests of caddymodule
	"nothing for minutes, then 503 `ENGINE_BUSY`", // TestTheEnginesWordsAreKeptAtTheDeadline
	"certificate unknown", "a browser's CORS error",
}

// whatGoesWrong holds the table of the document against the gateway.
func whatGoesWrong(t *testing.T, s site) {
	document, err := os.ReadFile("../../deploy/docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(document), "| the client says | cause |\n| --- | --- |\n")
	if !found {
		t.Fatal("deploy/docs/clients.md has no table of what goes wrong")
	}
	rows := slices.Clone(elsewhere)
	for line := range strings.Lines(table) {
		said, ok := strings.CutPrefix(line, "| ")
		if !ok {
			break
		}
		said, _, _ = strings.Cut(said, " |")
		if slices.Contains(elsewhere, said) {
			rows = slices.DeleteFunc(rows, func(row string) bool { return row == said })
			continue
		}
		if wrongs[said] == nil {
			t.Errorf("row %q: no test brings it about", said)
		}
		rows = append(rows, said)
	}
	if want := slices.Sorted(maps.Keys(wrongs)); !slices.Equal(slices.Sorted(slices.Values(rows)), want) {
		t.Errorf("rows: got %q, want %q and each of %q", rows, want, elsewhere)
	}
	for row, requests := range wrongs {
		for _, q := range requests {
			token := map[string]string{"user": s.user, "other": s.other}[q[0]]
			if token == "" {
				token = q[0]
			}
			got, err := s.admin.As(token).Do(q[1], q[2], q[3])
			var problem struct{ Code string }
			if err == nil {
				err = got.JSON(&problem)
			}
			if err != nil || !strings.HasPrefix(row, fmt.Sprint(got.Status)) || problem.Code == "" || !strings.Contains(row, "`"+problem.Code+"`") {
				t.Errorf("%s: %s %s: got %d %s, %v", row, q[1], q[2], got.Status, got.Body, err)
			}
		}
	}
}
