package authmin

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseBearer(t *testing.T) {
	token := tokenOf("ci")
	longest := strings.Repeat("a", MaxTokenLength)
	cases := map[string]struct {
		lines []string
		want  Presented
		token string
	}{
		"no line":                            {nil, PresentedNothing, ""},
		"the ordinary form":                  {[]string{"Bearer " + token}, PresentedToken, token},
		"a lower-case scheme":                {[]string{"bearer " + token}, PresentedToken, token},
		"an upper-case scheme":               {[]string{"BEARER " + token}, PresentedToken, token},
		"a mixed-case scheme":                {[]string{"bEaReR " + token}, PresentedToken, token},
		"several spaces":                     {[]string{"Bearer    " + token}, PresentedToken, token},
		"every character of the alphabet":    {[]string{"Bearer azAZ09-._~+/=="}, PresentedToken, "azAZ09-._~+/=="},
		"one character":                      {[]string{"Bearer a"}, PresentedToken, "a"},
		"8 KiB":                              {[]string{"Bearer " + longest}, PresentedToken, longest},
		"8 KiB and a byte":                   {[]string{"Bearer " + longest + "a"}, PresentedMalformed, ""},
		"1 MiB":                              {[]string{"Bearer " + strings.Repeat("a", 1<<20)}, PresentedMalformed, ""},
		"a word that is no token of ours":    {[]string{"Bearer null"}, PresentedToken, "null"},
		"an empty value":                     {[]string{""}, PresentedMalformed, ""},
		"a space":                            {[]string{" "}, PresentedMalformed, ""},
		"the scheme alone":                   {[]string{"Bearer"}, PresentedMalformed, ""},
		"the scheme and a space":             {[]string{"Bearer "}, PresentedMalformed, ""},
		"the scheme and many spaces":         {[]string{"Bearer " + strings.Repeat(" ", 99)}, PresentedMalformed, ""},
		"a space in front of the scheme":     {[]string{" Bearer " + token}, PresentedMalformed, ""},
		"no space":                           {[]string{"Bearer" + token}, PresentedMalformed, ""},
		"a tab":                              {[]string{"Bearer\t" + token}, PresentedMalformed, ""},
		"a space and a tab":                  {[]string{"Bearer \t" + token}, PresentedMalformed, ""},
		"a space behind":                     {[]string{"Bearer " + token + " "}, PresentedMalformed, ""},
		"a tab behind":                       {[]string{"Bearer " + token + "\t"}, PresentedMalformed, ""},
		"two tokens":                         {[]string{"Bearer " + token + " " + token}, PresentedMalformed, ""},
		"two tokens with a comma":            {[]string{"Bearer " + token + ", Bearer " + token}, PresentedMalformed, ""},
		"a comma behind":                     {[]string{"Bearer " + token + ","}, PresentedMalformed, ""},
		"the scheme twice":                   {[]string{"Bearer Bearer " + token}, PresentedMalformed, ""},
		"two lines, the good one last":       {[]string{"Bearer " + tokenOf("x"), "Bearer " + token}, PresentedMalformed, ""},
		"two lines, the good one first":      {[]string{"Bearer " + token, "Basic eA=="}, PresentedMalformed, ""},
		"two equal lines":                    {[]string{"Bearer " + token, "Bearer " + token}, PresentedMalformed, ""},
		"an empty line and a good one":       {[]string{"", "Bearer " + token}, PresentedMalformed, ""},
		"a good line and an empty one":       {[]string{"Bearer " + token, ""}, PresentedMalformed, ""},
		"Basic":                              {[]string{"Basic " + token}, PresentedMalformed, ""},
		"Token":                              {[]string{"Token " + token}, PresentedMalformed, ""},
		"Digest":                             {[]string{"Digest " + token}, PresentedMalformed, ""},
		"a longer scheme":                    {[]string{"Bearers " + token}, PresentedMalformed, ""},
		"a shorter scheme":                   {[]string{"Beare " + token}, PresentedMalformed, ""},
		"the token alone":                    {[]string{token}, PresentedMalformed, ""},
		"a colon":                            {[]string{"Bearer: " + token}, PresentedMalformed, ""},
		"an equals sign":                     {[]string{"Bearer=" + token}, PresentedMalformed, ""},
		"the token as a parameter":           {[]string{`Bearer token="` + token + `"`}, PresentedMalformed, ""},
		"double quotes":                      {[]string{`Bearer "` + token + `"`}, PresentedMalformed, ""},
		"single quotes":                      {[]string{"Bearer '" + token + "'"}, PresentedMalformed, ""},
		"a percent escape":                   {[]string{"Bearer %61" + token}, PresentedMalformed, ""},
		"a stored hash":                      {[]string{"Bearer sha256:" + token}, PresentedMalformed, ""},
		"a Caddy placeholder":                {[]string{"Bearer {env.LLORCH_API_TOKEN}"}, PresentedMalformed, ""},
		"a NUL":                              {[]string{"Bearer " + token + "\x00x"}, PresentedMalformed, ""},
		"a DEL":                              {[]string{"Bearer " + token + "\x7f"}, PresentedMalformed, ""},
		"obs-text":                           {[]string{"Bearer " + token + "\xe9"}, PresentedMalformed, ""},
		"UTF-8":                              {[]string{"Bearer " + token + "é"}, PresentedMalformed, ""},
		"a no-break space behind the scheme": {[]string{"Bearer\u00a0" + token}, PresentedMalformed, ""},
		"a line end":                         {[]string{"Bearer " + token + "\n"}, PresentedMalformed, ""},
		"a folded line":                      {[]string{"Bearer\r\n " + token}, PresentedMalformed, ""},
		"padding in the middle":              {[]string{"Bearer ab=cd"}, PresentedMalformed, ""},
		"padding alone":                      {[]string{"Bearer =="}, PresentedMalformed, ""},
		"a Kelvin sign is no k":              {[]string{"Bearer \u212a" + token}, PresentedMalformed, ""},
		"a scheme 0x20 away that is no case": {[]string{"\"earer " + token}, PresentedMalformed, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			digest, got := ParseBearer(c.lines)
			if got != c.want {
				t.Fatalf("got %d, want %d", got, c.want)
			}
			if got == PresentedToken && !digest.Equal(digestOf(c.token)) {
				t.Error("another token was hashed than the one sent")
			}
			if got != PresentedToken && !digest.Equal(Digest{}) {
				t.Error("a refused credential has a digest")
			}
		})
	}
}

// Every byte is tried at the start, in the middle and at the end of a token.
func TestBearerAlphabetIsExact(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/" // RFC 6750 §2.1
	for b := range 256 {
		c := string([]byte{byte(b)})
		inside := strings.Contains(alphabet, c) && b < 0x80
		for place, token := range map[string]string{"start": c + "aa", "middle": "a" + c + "a"} {
			if _, got := ParseBearer([]string{"Bearer " + token}); (got == PresentedToken) != inside && (place != "start" || c != " ") {
				t.Errorf("byte %#02x at the %s: got %d", b, place, got)
			}
		}
		if _, got := ParseBearer([]string{"Bearer aa" + c}); (got == PresentedToken) != (inside || c == "=") {
			t.Errorf("byte %#02x at the end: got %d", b, got)
		}
	}
}

// The scheme is compared byte by byte: exactly two bytes may stand for a letter.
func TestBearerSchemeIsExact(t *testing.T) {
	for i := range len(bearerScheme) {
		for b := range 256 {
			scheme := []byte(bearerScheme)
			scheme[i] = byte(b)
			want := b == int(bearerScheme[i]) || b == int(bearerScheme[i]-'a'+'A')
			if _, got := ParseBearer([]string{string(scheme) + " aa"}); (got == PresentedToken) != want {
				t.Errorf("scheme %q: got %d, want a token %v", scheme, got, want)
			}
		}
	}
}

func TestBearerProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		token := rapid.StringMatching(`[A-Za-z0-9._~+/-]{1,99}={0,3}`).Draw(rt, "token")
		scheme := rapid.StringMatching(`[Bb][Ee][Aa][Rr][Ee][Rr] {1,9}`).Draw(rt, "scheme")
		digest, got := ParseBearer([]string{scheme + token})
		if got != PresentedToken || !digest.Equal(digestOf(token)) {
			rt.Fatalf("%q was not read: %d", scheme+token, got)
		}
		extra := rapid.String().Draw(rt, "another line")
		if _, got := ParseBearer([]string{scheme + token, extra}); got != PresentedMalformed {
			rt.Fatalf("two lines were read: %d", got)
		}
	})
}

func FuzzParseBearer(f *testing.F) {
	for _, line := range []string{"Bearer abc", "bearer  a==", "Basic eA==", "Bearer", "Bearer \xe9", "Bearer a b", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		digest, got := ParseBearer([]string{line})
		if got == PresentedNothing {
			t.Fatal("a line is not nothing")
		}
		if got != PresentedToken {
			return
		}
		scheme, token, found := strings.Cut(line, " ")
		token = strings.TrimLeft(token, " ")
		if !found || !strings.EqualFold(scheme, "bearer") || strings.Trim(token, string(alphabetOf(token68Bytes))+"=") != "" {
			t.Errorf("%q was read as a credential", line)
		}
		if !digest.Equal(digestOf(token)) {
			t.Errorf("%q: another token was hashed", line)
		}
	})
}

func alphabetOf(set [256]bool) (bytes []byte) {
	for b, in := range set {
		if in {
			bytes = append(bytes, byte(b))
		}
	}
	return bytes
}
