package attacks_test

import (
	"bytes"
	"strings"
	"testing"
)

// leaked are requests with the valid token in Authorization and once more in another
// place; %s is the token, %S in capital letters. The upstream must not see it.
var leaked = map[string]struct {
	field, value string
	want         int
}{
	"in no other place":                   {"x-a", "b", 200},
	"form-encoded, as Authorization":      {":path", "/v1/models?authorization=Bearer+%s", 400},
	"behind sk-":                          {":path", "/v1/models?k=sk-%s", 400},
	"behind v1_":                          {":path", "/v1/models?k=v1_%s&a=b", 400},
	"behind a tilde":                      {":path", "/v1/models?k=a~%s", 400},
	"before a hyphen":                     {":path", "/v1/models?k=%s-x", 400},
	"behind an escaped plus":              {":path", "/v1/models?k=Bearer%2B%s", 400},
	"behind a colon":                      {":path", "/v1/models?k=user:%s", 400},
	"one letter escaped":                  {":path", "/v1/models?k=%61mt_3f9c1b7e5d2a48c06f1e9b3d7a5c2e80", 400},
	"one letter escaped twice":            {":path", "/v1/models?k=%2561mt_3f9c1b7e5d2a48c06f1e9b3d7a5c2e80", 400},
	"a segment of the path":               {":path", "/v1/models/%s", 400},
	"a segment of the path, behind a dot": {":path", "/v1/models/x.%s", 400},
	"a name in the query":                 {":path", "/v1/models?%s", 400},
	"a label of the authority":            {":authority", "%s.example", 400},
	"a label in capital letters":          {":authority", "%S.example", 400},
	"X-Api-Key behind sk-":                {"x-api-key", "sk-%s", 200},
	"a cookie":                            {"cookie", "a=b; session=%s; c=d", 200},
	"Referer":                             {"referer", "https://x.example/?authorization=Bearer+%s", 200},
	"User-Agent":                          {"user-agent", "agent/%s (x)", 200},
	"a correlation id":                    {"x-correlation-id", "req-%s", 200},
	"a correlation id, alone":             {"x-correlation-id", "%s", 200},
	"a field's name":                      {"x-%s", "1", 200},
	"a field with the token escaped":      {"x-a", "%61mt_3f9c1b7e5d2a48c06f1e9b3d7a5c2e80", 200},
}

// TestLeakedTokensReachNoUpstream sends them in every version of HTTP.
func TestLeakedTokensReachNoUpstream(t *testing.T) {
	t.Parallel()
	plain, secure := startGateway(t), startSecureGateway(t)
	certified(t, secure)
	for name, c := range leaked {
		fill := strings.NewReplacer("%s", tokenOK, "%S", strings.ToUpper(tokenOK)).Replace
		field, value := fill(c.field), fill(c.value)
		t.Run("HTTP/1.1 "+name, func(t *testing.T) {
			path, headers := "/v1/models", []string{bearer(tokenOK)}
			switch field {
			case ":path":
				path = value
			case ":authority":
				headers = append(headers, "Host: "+value)
			default:
				headers = append(headers, field+": "+value)
			}
			judgeLeaked(t, c.want, ask(t, plain.pub, "GET", path, headers...))
		})
		for version, speak := range versions {
			t.Run(version+" "+name, func(t *testing.T) {
				responses, _, err := speak(t, secure.pub, asked(set(":authority", secure.pub), set(field, value)))
				if err != nil || len(responses) == 0 {
					t.Fatalf("no answer: %v", err)
				}
				judgeLeaked(t, c.want, responses[len(responses)-1])
			})
		}
	}
}

// judgeLeaked: the answer says what the upstream saw.
func judgeLeaked(t *testing.T, want int, got response) {
	t.Helper()
	if got.status != want {
		t.Errorf("status %d, want %d: %.300s", got.status, want, got.body)
	}
	if want == 400 && !strings.Contains(string(got.body), `"code":"MISPLACED_TOKEN"`) {
		t.Errorf("the body does not say why: %.300s", got.body)
	}
	token := []byte(tokenOK[len("amt_"):])
	if bytes.Contains(bytes.ToLower(got.body), token) {
		t.Errorf("the upstream saw the token: %.900s", got.body)
	}
	for name, values := range got.header {
		if bytes.Contains(bytes.ToLower([]byte(name+strings.Join(values, " "))), token) {
			t.Errorf("the answer has the token in %s: %s", name, values)
		}
	}
}
