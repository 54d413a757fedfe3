package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// The answers that clients program against, byte for byte, for every version of
// HTTP. Only the date and the protocol's own header fields are left out.
func TestRefusalsGolden(t *testing.T) {
	keyring := t.TempDir() + "/tokens"
	writeKeyring(t, keyring,
		keyringLine("expired", "canary-plain-expired-0123456789abcdef", "infer expires=2020-01-01T00:00:00Z"),
		keyringLine("revoked", "canary-plain-revoked-0123456789abcdef", "infer state=revoked"),
		keyringLine("not-yet", "canary-plain-not-yet-0123456789abcdef", "infer not_before=2099-01-01T00:00:00Z"))
	g := serve(t, true, strings.TrimSuffix(twoTokens, "\t}\n")+"\t\tlockout off\n\t\ttoken_file "+keyring+"\n\t}\n", `
	authmin {
		public /health
		require metrics,nodes /metrics
		require infer /v1/*
		deny /never
	}
	respond "secret content"`)
	cases := []struct {
		name, method, path string
		fields             []string
	}{
		{"missing", "GET", "/v1/x", nil},
		{"unknown", "GET", "/v1/x", []string{"Authorization: Bearer nobody"}},
		{"expired", "GET", "/v1/x", []string{"Authorization: Bearer canary-plain-expired-0123456789abcdef"}},
		{"revoked", "GET", "/v1/x", []string{"Authorization: Bearer canary-plain-revoked-0123456789abcdef"}},
		{"not yet", "GET", "/v1/x", []string{"Authorization: Bearer canary-plain-not-yet-0123456789abcdef"}},
		{"malformed", "GET", "/v1/x", []string{"Authorization: Basic eDp5"}},
		{"two lines", "GET", "/v1/x", []string{asUser, asBoss}},
		{"scope", "GET", "/metrics", []string{asUser}},
		{"denied", "GET", "/never", []string{asBoss}},
		{"denied without a token", "GET", "/never", nil},
		{"no rule", "DELETE", "/elsewhere", []string{asBoss}},
		{"no rule without a token", "DELETE", "/elsewhere", nil},
		{"ambiguous", "GET", "/v1/%2e%2e/x", []string{asUser}},
		{"HEAD", "HEAD", "/v1/x", nil},
		{"missing, for Anthropic's clients", "POST", "/v1/messages?beta=true", nil},
		{"unknown, for Anthropic's clients", "POST", "/v1/messages/count_tokens", []string{"Authorization: Bearer nobody"}},
		{"missing, for Ollama's clients", "GET", "/api/tags", nil},
		{"denied, for Ollama's clients", "POST", "/api/chat", []string{asBoss}},
		{"ambiguous, for Ollama's clients", "POST", "/api//chat", []string{asBoss}},
	}
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			var all bytes.Buffer
			for _, c := range cases {
				fields := append(c.fields, "X-Correlation-Id: golden-1")
				answer, body := g.ask(t, client, c.method, c.path, fields...)
				if answer.Proto != version {
					t.Fatalf("got %s", answer.Proto)
				}
				if closes := answer.Close || answer.Header.Get("Connection") != ""; closes != (version == "HTTP/1.1") {
					t.Errorf("%s: closes the connection: %t", c.name, closes)
				}
				fmt.Fprintf(&all, "== %s\n%d\n%s\n%s\n", c.name, answer.StatusCode, fieldLines(answer.Header), body)
			}
			testkit.Golden(t, "testdata/refusals.txt", all.Bytes())
		})
	}
}

func fieldLines(h http.Header) string {
	var lines []string
	for name, values := range h {
		switch name {
		case "Date", "Alt-Svc", "Connection", "Server", "Via":
			continue
		}
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Every way in which a token is not valid gets the same answer: it does not say
// which.
func TestInvalidTokensAnswerAlike(t *testing.T) {
	text := readFile(t, "testdata/refusals.txt")
	var first string
	for _, name := range []string{"unknown", "expired", "revoked", "not yet", "malformed", "two lines"} {
		_, rest, _ := strings.Cut(text, "== "+name+"\n")
		answer, _, _ := strings.Cut(rest, "\n== ")
		if first == "" {
			first = answer
		}
		if answer != first || answer == "" {
			t.Errorf("%s: got\n%s\nwant\n%s", name, answer, first)
		}
	}
}
