package authmin

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"
)

// formsOfTokens are tokens of every form that tools make.
var formsOfTokens = map[string]string{
	"hexadecimal":           "5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
	"a UUID":                "01a200ae-e6e6-42f6-b337-539a1b2aa701",
	"base64 with slashes":   "aB3/kLm9+Qw/eRt7Yu/iOp1As2Df3Gh4Jk5Zx6Cv/Bn=",
	"base64url":             "Zq3_9f8e7D6c5B4a-39281706f5e4d3c2b1a0xYz_Qw",
	"with a prefix":         "sk-proj-Zq39f8e7D6c5B4a39281706f5e4d3c2b1a0",
	"a separator at an end": "_Zq39f8e7D6c5B4a39281706f5e4d3c2b1a0-",
	"three words with dots": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjaSJ9.c2lnbmF0dXJlc2lnbmF0dXJl",
	"many separators":       "ab+/cd+/ef+/gh+/ij+/kl+/mn+/op+/qr+/st+/uv=",
}

// surroundings are where clients have put tokens; %s is the token.
var surroundings = []string{
	"%s", "Bearer %s", "bearer:%s", "sk-%s", "v1_%s", "req-%s", "a+%s", "a~%s", "k=%s", "k.%s", "k/%s",
	"%s-x", "%s_x", "%s+x", "%s~x", "%s.json", "%s=x", "%s/x", "%s:x", "%s,%s", "<%s>", "\"%s\"", "ü%s", "%s\x00",
	"/v1/x?authorization=Bearer+%s", "/v1/x?k=sk-%s&b=c", "/v1/models/%s/x", "session=%s; a=b", "%s.example:443",
	"https://u:%s@host/x?y#z", "Mozilla/5.0 (X11; %s) AppleWebKit/537.36", "a=b&token=%s#x", "/v2/tasks/98c7f0de-1111-7222-8333-444455556666/%s",
	"00-68c8968191751585b54881272ad463ee-%s-01", "sk-v1_req-%s", "%%20%s", "Bearer%%20%s", "-%s-", "==%s==",
	"/a/b/c/d/%s/e/f/g", "Bearer%s", "/v1/x?authorization=bearer%s", "req-Bearer%s",
}

func TestTokensAreFoundInEverySurrounding(t *testing.T) {
	for form, token := range formsOfTokens {
		ring := mustKeyring(t, NewToken("ci", NewSecret(token), ScopeInfer))
		redactor := NewRedactor(func() *Keyring { return ring })
		for _, around := range surroundings {
			text := strings.ReplaceAll(strings.ReplaceAll(around, "%s", token), "%%", "%")
			if form == "many separators" && around == "/a/b/c/d/%s/e/f/g" {
				continue // below: known by its length
			}
			expectFound(t, ring, redactor, form, text, token)
			expectFound(t, ring, redactor, form+", escaped", strings.ReplaceAll(around, "%s", url.QueryEscape(token)), token)
			expectFound(t, ring, redactor, form+", escaped twice", strings.ReplaceAll(around, "%s", url.QueryEscape(url.QueryEscape(token))), token)
			expectFound(t, ring, redactor, form+", all escaped", strings.ReplaceAll(around, "%s", escapeAll(token)), token)
		}
	}
}

func escapeAll(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02x", text[i])
	}
	return b.String()
}

func expectFound(t *testing.T, ring *Keyring, redactor *Redactor, form, text, token string) {
	t.Helper()
	if !ring.ContainsToken(text, noon) || !redactor.ContainsToken(text) {
		t.Errorf("%s: the token in %q was not found", form, text)
	}
	clean := redactor.Redact(text)
	decoded := clean
	for range maxDecodings {
		decoded, _ = decodeEscapes(decoded)
	}
	if leaks(decoded, token) || !strings.Contains(clean, redacted) {
		t.Errorf("%s: %q became %q", form, text, clean)
	}
}

// A keyring file has digests only: what many separators are is then not known.
func TestTokensKnownByDigestAlone(t *testing.T) {
	for form, token := range formsOfTokens {
		ring := mustKeyring(t, Token{Name: "ci", Scopes: []Scope{ScopeInfer}, digest: NewSecret(token).Digest()})
		for text, want := range map[string]bool{
			token: true, "Bearer+" + token: true, "sk-" + token: true, "/v1/" + token + "/x": true,
			"/a/b/c/d/e/" + token + "/a/b/c/d/e": form != "many separators",
		} {
			if got := ring.ContainsToken(text, noon); got != want {
				t.Errorf("%s: ContainsToken(%q) = %v, want %v", form, text, got, want)
			}
		}
	}
}

// Host and the names of fields come in small letters, or in others.
func TestFoldedTokensAreFound(t *testing.T) {
	token := formsOfTokens["base64url"]
	ring := mustKeyring(t, NewToken("ci", NewSecret(token), ScopeInfer))
	redactor := NewRedactor(func() *Keyring { return ring })
	small := strings.ToLower(token)
	for text, want := range map[string][2]bool{ // exact, folded
		token + ".example":            {true, true},
		small + ".example":            {false, true},
		strings.ToUpper(token) + ":1": {false, true},
		"X-" + strings.ToTitle(small): {false, true},
		small[1:] + ".example":        {false, false},
	} {
		if got := [2]bool{redactor.ContainsToken(text), redactor.ContainsTokenFolded(text)}; got != want {
			t.Errorf("%q: found %v, want %v (exact, folded)", text, got, want)
		}
		if got := redactor.ContainsValidTokenFolded(text, noon); got != want[1] {
			t.Errorf("ContainsValidTokenFolded(%q) = %v, want %v", text, got, want[1])
		}
		if clean := redactor.RedactLine(text); want[1] && leaks(strings.ToLower(clean), small) {
			t.Errorf("%q became %q", text, clean)
		}
	}
}

// The answer depends on valid tokens only, a log on all that are known.
func TestEveryKnownTokenIsRedacted(t *testing.T) {
	ring := fourKinds(t)
	redactor := NewRedactor(func() *Keyring { return nil }, func() *Keyring { return ring })
	for name, want := range map[string][3]bool{ // valid, known, shown
		"ci": {true, true, false}, "old": {false, true, false}, "gone": {false, true, false}, "later": {false, true, false}, "x": {false, false, true},
	} {
		text := "/v1/x?k=sk-" + tokenOf(name)
		got := [3]bool{redactor.ContainsValidToken(text, noon), redactor.ContainsToken(text), leaks(redactor.Redact(text), tokenOf(name))}
		if got != want {
			t.Errorf("%s: got %v, want %v (valid, known, shown)", name, got, want)
		}
	}
}

func TestLinesOfLogsAreClean(t *testing.T) {
	token := tokenOf("ci")
	redactor := NewRedactor(func() *Keyring { return fourKinds(t) })
	for text, want := range map[string]string{
		`{"msg":"a\n` + token + `\tb"}`:               `{"msg":"a\n[redacted]\tb"}`,
		`{"msg":"\u0022` + token + `\u0022"}`:         `{"msg":"\u0022[redacted]\u0022"}`,
		`"a\x00` + token + `"`:                        `"a\x00[redacted]"`,
		`a\` + token:                                  `a\[redacted]`,
		`{"a":"` + token + `","b":"` + token + `"}`:   `{"a":"[redacted]","b":"[redacted]"}`,
		`%2F` + escapeAll(token) + `/` + token + "z/": `%2F[redacted]/` + token + "z/",
		"nothing of that kind is in this line at all": "nothing of that kind is in this line at all",
	} {
		if got := redactor.RedactLine(text); got != want {
			t.Errorf("RedactLine(%q) = %q, want %q", text, got, want)
		}
		var b strings.Builder
		n, err := redactor.Writer(&b).Write([]byte(text))
		if n != len(text) || err != nil || b.String() != want {
			t.Errorf("writing %q: %d, %v, %q", text, n, err, b.String())
		}
	}
}

// Without a token, no search; with too much that could be one, no way out.
func TestTheSearchIsBounded(t *testing.T) {
	ring := fourKinds(t)
	redactor := NewRedactor(func() *Keyring { return ring })
	words := strings.Repeat("abcdefg-", 16<<10)
	if got := redactor.Redact(words); len(got) > 128<<10/2 || !strings.HasSuffix(got, redacted) || !ring.ContainsToken(words, noon) {
		t.Errorf("a text of %d bytes that was not searched to its end became one of %d", len(words), len(got))
	}
	ordinary := base64.URLEncoding.EncodeToString([]byte(strings.Repeat("an image, or so?", 1<<10)))
	if ring.ContainsToken(ordinary[:16<<10], noon) {
		t.Error("16 KiB of base64 count as a token")
	}
	for _, text := range []string{strings.Repeat("=", 64<<10), strings.Repeat("-", 64<<10), strings.Repeat("%3D", 16<<10), strings.Repeat("%25", 1<<10)} {
		s := search{now: noon}
		s.add(ring)
		s.contains(text)
		if s.left < -1 {
			t.Errorf("%.9q…: %d candidates are over the limit of %d", text, maxCandidates-s.left, maxCandidates)
		}
	}
	if new(Redactor).Redact(words) != words || (*Redactor)(nil).Redact(words) != words || (*Redactor)(nil).ContainsToken(words) {
		t.Error("a redactor without tokens finds some")
	}
}

// Tokens in clear of too many different lengths could not all be looked for.
func TestTokensThatCannotBeRecognisedAreRefused(t *testing.T) {
	var tokens []Token
	for i := range maxManyCuts + 1 {
		text := strings.Repeat("ab-", 12+i) + "x"
		tokens = append(tokens, NewToken(fmt.Sprintf("t%d", i), NewSecret(text), ScopeInfer))
	}
	if _, err := NewKeyring(tokens[:maxManyCuts]); err != nil {
		t.Error(err)
	}
	_, err := NewKeyring(tokens)
	if err == nil || !strings.Contains(err.Error(), "openssl rand -hex 32") || strings.Contains(err.Error(), "ab-ab") {
		t.Errorf("got %v", err)
	}
}

// FuzzRedact plants a token in random surroundings.
func FuzzRedact(f *testing.F) {
	token := formsOfTokens["base64 with slashes"]
	ring, err := NewKeyring([]Token{NewToken("ci", NewSecret(token), ScopeInfer)})
	if err != nil {
		f.Fatal(err)
	}
	redactor := NewRedactor(func() *Keyring { return ring })
	for _, around := range surroundings {
		before, after, _ := strings.Cut(around, "%s")
		f.Add(before, after, uint64(len(around)))
	}
	f.Fuzz(func(t *testing.T, before, after string, seed uint64) {
		if len(before)+len(after) > 4<<10 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		planted := escapeSome(token, r)
		if n := len(before); n > 0 && !delimits(before[n-1]) {
			before += ":"
		}
		if after != "" && !delimits(after[0]) {
			after = "&" + after
		}
		text := before + planted + after
		for what, clean := range map[string]string{"Redact": redactor.Redact(text), "RedactLine": redactor.RedactLine(text)} {
			if decoded, _ := decodeEscapes(clean); strings.Contains(decoded, token) {
				t.Errorf("%s(%q) = %q", what, text, clean)
			}
		}
		if !ring.ContainsToken(text, noon) {
			t.Errorf("ContainsToken(%q) = false", text)
		}
	})
}

func delimits(c byte) bool { return separatorBytes[c] || !runBytes[c] && c != '%' && c != '\\' }

func escapeSome(text string, r *rand.Rand) string {
	var b strings.Builder
	for i := range len(text) {
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, "%%%02X", text[i])
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// BenchmarkRedactor is what the search costs for what requests and logs are made of.
func BenchmarkRedactor(b *testing.B) {
	tokens := make([]Token, 10_000)
	for i := range tokens {
		tokens[i] = NewToken(fmt.Sprintf("t%d", i), RandomSecret(), ScopeInfer)
	}
	ring := mustKeyring(b, tokens...)
	redactor := NewRedactor(func() *Keyring { return ring })
	for name, text := range map[string]string{
		"short":       "/v1/chat/completions",
		"agent":       "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"task":        "/v2/tasks/01a200ae-e6e6-72f6-b337-539a1b2aa701/events",
		"traceparent": "00-68c8968191751585b54881272ad463ee-ba1aece69c23f149-01",
		"JWT":         strings.Repeat("eyJhbGciOiJIUzI1NiIsInR5cCI6-pXVCJ9", 24),
		"worst 16KiB": strings.Repeat("abcdefghijklmno-", 1<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				redactor.ContainsValidToken(text, time.Time{})
			}
		})
	}
}
