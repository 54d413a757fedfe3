package attacks_test

import (
	"strings"
	"testing"
)

// strictFirst is a policy whose strict rules stand before a broad one.
const strictFirst = `
		require infer /ollama/*
		require admin /v2/nodes
		deny /internal/*
		require infer /v2/*
		public /Legacy /*`

// strippedOllama serves what strictFirst guards below a prefix that Caddy strips
// without minding its case.
const strippedOllama = `handle_path /ollama/* {
		reverse_proxy UPSTREAM
	}`

// spellings are requests for the policy strictFirst: without a token, unless they
// have one.
var spellings = map[string]struct {
	path, token string
	want        int
}{
	"a capital letter":                   {"/Ollama/api/pull", "", 400},
	"a capital letter, with the token":   {"/Ollama/api/pull", tokenOK, 400},
	"all capital letters":                {"/OLLAMA/API/PULL", "", 400},
	"an escaped capital letter":          {"/%4Fllama/api/pull", "", 400},
	"a fullwidth letter":                 {"/%EF%BD%8Fllama/api/pull", "", 400},
	"a dotted capital I":                 {"/%C4%B0nternal/x", "", 400},
	"a dotless i":                        {"/%C4%B1nternal/x", tokenAdmin, 400},
	"the prefix itself":                  {"/Ollama", "", 400},
	"the prefix with a slash, as named":  {"/ollama/", "", 401},
	"a slash at the end":                 {"/v2/nodes/", tokenOK, 400},
	"a slash at the end, without token":  {"/v2/nodes/", "", 401},
	"case and the slash":                 {"/V2/Nodes/", "", 400},
	"case, and the scope":                {"/v2/Nodes", tokenAdmin, 400},
	"a fullwidth slash":                  {"/ollama%EF%BC%8Fapi/pull", "", 400},
	"a one dot leader":                   {"/x/%E2%80%A4%E2%80%A4/ollama", "", 400},
	"the path as the rule has it":        {"/ollama/api/pull", "", 401},
	"the path as the rule has it, token": {"/ollama/api/pull", tokenOK, 200},
	"the admin's path":                   {"/v2/nodes", tokenAdmin, 200},
	"another path of the broad rule":     {"/v2/tasks/", tokenOK, 200},
	"a public path":                      {"/Static/Logo.svg", "", 200},
	"a path that the public rule names":  {"/Legacy", "", 200},
	"a public path in another alphabet":  {"/caf%C3%A9/%E6%97%A5", "", 200},
}

// TestSpellingsOfAStricterPath sends them in every version of HTTP.
func TestSpellingsOfAStricterPath(t *testing.T) {
	t.Parallel()
	plain := startListeners(t, gatewayKind{scheme: "http", guard: "plaintext", policy: strictFirst, before: strippedOllama})
	kind := secureKind(t)
	kind.policy, kind.before = strictFirst, strippedOllama
	secure := startListeners(t, kind)
	certified(t, secure)
	for name, c := range spellings {
		t.Run("HTTP/1.1 "+name, func(t *testing.T) {
			var headers []string
			if c.token != "" {
				headers = append(headers, bearer(c.token))
			}
			judgeSpelling(t, c.want, ask(t, plain.pub, "POST", c.path, headers...))
		})
		for version, speak := range versions {
			t.Run(version+" "+name, func(t *testing.T) {
				m := asked(set(":method", "POST"), set(":path", c.path), set(":authority", secure.pub), without("authorization"))
				if c.token != "" {
					m.fields = append(m.fields, field{"authorization", "Bearer " + c.token})
				}
				responses, _, err := speak(t, secure.pub, m)
				if err != nil || len(responses) == 0 {
					t.Fatalf("no answer: %v", err)
				}
				judgeSpelling(t, c.want, responses[len(responses)-1])
			})
		}
	}
}

func judgeSpelling(t *testing.T, want int, got response) {
	t.Helper()
	if got.status != want {
		t.Errorf("status %d, want %d: %.300s", got.status, want, got.body)
	}
	if want == 400 && !strings.Contains(string(got.body), `"code":"AMBIGUOUS_REQUEST"`) {
		t.Errorf("the body does not say why: %.300s", got.body)
	}
}
