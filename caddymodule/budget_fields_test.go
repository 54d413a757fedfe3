package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// Each answer to an identity with a budget or a limit tells what is left, refusals included.
func TestEveryAnswerTellsWhatIsLeft(t *testing.T) {
	site := strings.Replace(budgetSite(newUpstream(t, nil).address(), "max_body 128KiB", "limit 100 1h"), "require infer /*", "deny /no\n\t\trequire admin /boss\n\t\trequire infer /*", 1)
	g := serve(t, false, budgeted(t, "models tiny", "budget 1M tokens per day"), site)
	const whole = `"token-tokens-day";r=1000000;t=43200`
	for name, c := range map[string]struct {
		method, path, body string
		fields             []string
		status             int
		want               string // of RateLimit, without the limit's
	}{
		"a limit that cannot be counted": {"POST", chatPath, `{"model":"tiny","max_tokens":0}`, nil, 400, whole},
		"another model":                  {"POST", chatPath, `{"model":"big"}`, nil, 403, whole},
		"a route in neither":             {"POST", "/other", `{}`, nil, 403, whole},
		"a large body":                   {"POST", chatPath, `{"model":"tiny","x":"` + long + long + long + long + `"}`, nil, 413, whole},
		"an encoded body":                {"POST", chatPath, `{}`, []string{"Content-Encoding: gzip"}, 415, whole},
		"an upgrade":                     {"POST", "/v1/models", ``, []string{"Connection: Upgrade", "Upgrade: websocket"}, 403, whole},
		"no rule":                        {"GET", "/no", ``, nil, 403, whole},
		"another spelling":               {"GET", "/NO", ``, nil, 400, whole},
		"itself":                         {"GET", mePath, ``, nil, 200, whole},
		"forwarded":                      {"GET", "/v1/models", ``, nil, 200, whole},
		"another scope":                  {"GET", "/boss", ``, nil, 403, whole},
		"no valid token":                 {"GET", "/v1/models", ``, []string{"Authorization: Bearer " + strings.Repeat("x", 40)}, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, g.base+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range append([]string{asUser}, c.fields...) {
				name, value, _ := strings.Cut(field, ": ")
				r.Header.Set(name, value)
			}
			answer, text := send(t, plainClient(), r)
			if answer.StatusCode != c.status {
				t.Errorf("got %d %s, want %d", answer.StatusCode, text, c.status)
			}
			limit, budget, _ := strings.Cut(answer.Header.Get("RateLimit"), ", ")
			if budget != c.want || strings.HasPrefix(limit, `"limit";r=`) != (c.want != "") {
				t.Errorf("RateLimit is %q and %q, want the limit and %q", limit, budget, c.want)
			}
		})
	}
}
