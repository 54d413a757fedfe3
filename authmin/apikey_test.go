package authmin

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestParseAPIKey(t *testing.T) {
	token := tokenOf("ci")
	longest := strings.Repeat("a", MaxTokenLength)
	for name, c := range map[string]struct {
		lines []string
		want  Presented
	}{
		"no line":                         {nil, PresentedNothing},
		"a token":                         {[]string{token}, PresentedToken},
		"every character of the alphabet": {[]string{"azAZ09-._~+/=="}, PresentedToken},
		"8 KiB":                           {[]string{longest}, PresentedToken},
		"8 KiB and a byte":                {[]string{longest + "a"}, PresentedMalformed},
		"an empty value":                  {[]string{""}, PresentedMalformed},
		"a space":                         {[]string{" "}, PresentedMalformed},
		"a space in front":                {[]string{" " + token}, PresentedMalformed},
		"a space behind":                  {[]string{token + " "}, PresentedMalformed},
		"a scheme":                        {[]string{"Bearer " + token}, PresentedMalformed},
		"two lines":                       {[]string{token, tokenOf("x")}, PresentedMalformed},
		"two equal lines":                 {[]string{token, token}, PresentedMalformed},
		"a good line and an empty one":    {[]string{token, ""}, PresentedMalformed},
		"two tokens with a comma":         {[]string{token + "," + token}, PresentedMalformed},
		"quotes":                          {[]string{`"` + token + `"`}, PresentedMalformed},
		"padding alone":                   {[]string{"=="}, PresentedMalformed},
		"a NUL":                           {[]string{token + "\x00"}, PresentedMalformed},
		"obs-text":                        {[]string{token + "\xe9"}, PresentedMalformed},
	} {
		digest, got := ParseAPIKey(c.lines)
		if got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
		if got != PresentedToken && !digest.Equal(Digest{}) {
			t.Errorf("%s: a refused credential has a digest", name)
		}
		if got == PresentedToken && !digest.Equal(digestOf(c.lines[0])) {
			t.Errorf("%s: another token was hashed than the one sent", name)
		}
	}
}

// One of the two fields, or both with one token. Where X-Api-Key is not read it
// changes nothing.
func TestParseCredential(t *testing.T) {
	token, other := tokenOf("ci"), tokenOf("ops")
	for name, c := range map[string]struct {
		bearer, key []string
		want, alone Presented // alone: where X-Api-Key is not read
		token       string    // the one that was hashed, where X-Api-Key is read
	}{
		"neither":                       {nil, nil, PresentedNothing, PresentedNothing, ""},
		"Authorization":                 {[]string{"Bearer " + token}, nil, PresentedToken, PresentedToken, token},
		"X-Api-Key":                     {nil, []string{token}, PresentedToken, PresentedNothing, token},
		"both, the same":                {[]string{"Bearer " + token}, []string{token}, PresentedToken, PresentedToken, token},
		"both, two different":           {[]string{"Bearer " + token}, []string{other}, PresentedMalformed, PresentedToken, ""},
		"both, one cut short":           {[]string{"Bearer " + token}, []string{token[:len(token)-1]}, PresentedMalformed, PresentedToken, ""},
		"both, another case":            {[]string{"Bearer " + token}, []string{strings.ToUpper(token)}, PresentedMalformed, PresentedToken, ""},
		"an empty X-Api-Key":            {nil, []string{""}, PresentedMalformed, PresentedNothing, ""},
		"an empty one beside a token":   {[]string{"Bearer " + token}, []string{""}, PresentedMalformed, PresentedToken, ""},
		"a malformed one beside it":     {[]string{"Bearer " + token}, []string{"Bearer " + token}, PresentedMalformed, PresentedToken, ""},
		"a good one beside Basic":       {[]string{"Basic eA=="}, []string{token}, PresentedMalformed, PresentedMalformed, ""},
		"a good one beside two":         {[]string{"Bearer " + token, "Bearer " + token}, []string{token}, PresentedMalformed, PresentedMalformed, ""},
		"both malformed":                {[]string{""}, []string{""}, PresentedMalformed, PresentedMalformed, ""},
		"repeated, beside the same one": {[]string{"Bearer " + token}, []string{token, token}, PresentedMalformed, PresentedToken, ""},
	} {
		h := http.Header{}
		if c.bearer != nil {
			h["Authorization"] = c.bearer
		}
		if c.key != nil {
			h["X-Api-Key"] = c.key
		}
		digest, got := ParseCredential(h, true)
		if got != c.want || got == PresentedToken && !digest.Equal(digestOf(c.token)) || got != PresentedToken && !digest.Equal(Digest{}) {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
		if _, got := ParseCredential(h, false); got != c.alone {
			t.Errorf("%s, not read: got %d, want %d", name, got, c.alone)
		}
	}
}

// A decision is the same whichever field the token came in.
func TestDecideByAPIKey(t *testing.T) {
	const infer = "/v1/models"
	for name, c := range map[string]struct {
		path   string
		fields http.Header
		reason Reason
		code   string
		name   string
	}{
		"a token":              {infer, http.Header{"X-Api-Key": {tokenOf("ci")}}, ReasonNone, "", "ci"},
		"both with one":        {infer, http.Header{"X-Api-Key": {tokenOf("ci")}, "Authorization": {bearer("ci")}}, ReasonNone, "", "ci"},
		"two different":        {infer, http.Header{"X-Api-Key": {tokenOf("ci")}, "Authorization": {bearer("ops")}}, ReasonMalformed, "BAD_TOKEN", ""},
		"unknown":              {infer, http.Header{"X-Api-Key": {tokenOf("x")}}, ReasonUnknown, "BAD_TOKEN", ""},
		"expired":              {infer, http.Header{"X-Api-Key": {tokenOf("old")}}, ReasonExpired, "BAD_TOKEN", ""},
		"revoked":              {infer, http.Header{"X-Api-Key": {tokenOf("gone")}}, ReasonRevoked, "BAD_TOKEN", ""},
		"without the scope":    {"/metrics", http.Header{"X-Api-Key": {tokenOf("ci")}}, ReasonScope, "INSUFFICIENT_SCOPE", "ci"},
		"empty":                {infer, http.Header{"X-Api-Key": {""}}, ReasonMalformed, "BAD_TOKEN", ""},
		"none":                 {infer, http.Header{}, ReasonMissing, "MISSING_TOKEN", ""},
		"ignored on a public":  {"/health", http.Header{"X-Api-Key": {"", "x"}}, ReasonNone, "", ""},
		"another spelling":     {infer, http.Header{"X_Api_Key": {tokenOf("ci")}}, ReasonMissing, "MISSING_TOKEN", ""},
		"another header's key": {infer, http.Header{"Api-Key": {tokenOf("ci")}}, ReasonMissing, "MISSING_TOKEN", ""},
	} {
		g := guardOf(t, fourKinds(t))
		g.APIKey = true
		r := request("GET", c.path)
		r.Header = c.fields
		d := g.Decide(r, noon)
		code := ""
		if d.Problem != nil {
			code = d.Problem.Code
		}
		if d.Reason != c.reason || code != c.code || d.Name != c.name {
			t.Errorf("%s: got %q %s as %q, want %q %s as %q", name, d.Reason, code, d.Name, c.reason, c.code, c.name)
		}
		if d.Problem != nil && d.Problem.Status == http.StatusUnauthorized && !strings.Contains(d.Problem.Hint, "X-Api-Key") {
			t.Errorf("%s: the hint is %q", name, d.Problem.Hint)
		}
		g.APIKey = false
		if d := g.Decide(r, noon); c.fields["Authorization"] == nil && c.path == infer && d.Reason != ReasonMissing {
			t.Errorf("%s: read where it is not configured: %q", name, d.Reason)
		}
	}
}

// A credential in X-Api-Key ends the loopback bypass, as one in Authorization does.
func TestAnAPIKeyEndsTheBypass(t *testing.T) {
	g := guardOf(t, fourKinds(t))
	g.Optional = true
	for value, want := range map[string]Reason{tokenOf("x"): ReasonUnknown, "": ReasonMalformed} {
		r := localRequest()
		r.Peer = netip.MustParseAddr("127.0.0.1")
		r.Header["X-Api-Key"] = []string{value}
		g.APIKey = true
		if d := g.Decide(r, noon); d.Allow || d.Reason != want {
			t.Errorf("%q: got %q, want %q", value, d.Reason, want)
		}
		g.APIKey = false
		if d := g.Decide(r, noon); !d.Allow {
			t.Errorf("%q, not read: refused for %q", value, d.Reason)
		}
	}
}
