package caddymodule

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// The record of a decision names the model that was asked for, where the guard has read it:
// of an allowed request and of a refused one, bounded, and never a token.
func TestTheRecordOfADecisionNamesTheModel(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, limitedTokens, modelSite(up))
	long := "team-" + strings.Repeat("a", 251)
	for name, c := range map[string]struct {
		method, target, body string
		want                 string // in the record; "" for no member
	}{
		"an allowed model":   {"POST", chatPath, `{"model":"tiny"}`, `"model":"tiny"`},
		"a refused one":      {"POST", chatPath, `{"model":"b\u0069g"}`, `"model":"big"`},
		"two":                {"POST", "/api/copy", `{"model":"tiny","source":"team-x"}`, `"model":"tiny,team-x"`},
		"of a path":          {"GET", "/v1/models/big", ``, `"model":"big"`},
		"of a query":         {"GET", "/v1/models?model=big", ``, `"model":"big"`},
		"a quote":            {"POST", chatPath, `{"model":"a\"b"}`, `"model":"a\"b"`},
		"as long as a name":  {"POST", chatPath, `{"model":"` + long + `"}`, `"model":"team-aaa`},
		"a token":            {"POST", chatPath, `{"model":"` + tokenAdmin + `"}`, `"model":"[redacted]"`},
		"no model":           {"GET", "/v1/models", ``, ""},
		"a body of two ones": {"POST", chatPath, `{"model":"a","model":"b"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(readFile(t, g.log))
			ask(t, g.base, tokenInfer, modelCase{method: c.method, target: c.target, body: c.body})
			last()
			var text string
			testkit.Eventually(t, "the record is written", func() bool {
				text = readFile(t, g.log)[before:]
				return strings.Contains(text, `"decision":`) && strings.HasSuffix(text, "\n")
			})
			if c.want != "" && !strings.Contains(text, c.want) || c.want == "" && strings.Contains(text, `"model":`) {
				t.Errorf("got %s, want %s", text, c.want)
			}
			expectNoToken(t, text)
		})
	}
}
