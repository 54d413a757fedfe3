package authmin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLookupDependsOnTheTime(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 999_999_999) }
	lasting, limited, revoked, later := NewToken("a", secretOf("a")), NewToken("b", secretOf("b")),
		NewToken("c", secretOf("c")), NewToken("d", secretOf("d"))
	limited.NotBefore, limited.Expires = 1000, 2000
	revoked.Revoked = true
	later.NotBefore = 5000
	ring := mustKeyring(t, lasting, limited, revoked, later)
	cases := map[string]struct {
		token string
		now   time.Time
		want  Verdict
	}{
		"a lasting token":                      {"a", noon, VerdictValid},
		"a lasting token before 1970":          {"a", time.Unix(-5, 0), VerdictValid},
		"a token of another keyring":           {"x", noon, VerdictUnknown},
		"a moment before its first second":     {"b", at(999), VerdictNotYet},
		"its first second":                     {"b", time.Unix(1000, 0), VerdictValid},
		"its last second":                      {"b", at(1999), VerdictValid},
		"the second of its expiry":             {"b", time.Unix(2000, 0), VerdictExpired},
		"long after":                           {"b", noon, VerdictExpired},
		"a revoked token":                      {"c", noon, VerdictRevoked},
		"a token that begins later":            {"d", at(4999), VerdictNotYet},
		"a token that began, and has no end":   {"d", noon, VerdictValid},
		"the zero time for one with no limits": {"a", time.Time{}, VerdictValid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			token, got := ring.Lookup(secretOf(c.token).Digest(), c.now)
			if got != c.want {
				t.Errorf("got verdict %d, want %d", got, c.want)
			}
			if (token == nil) != (c.want == VerdictUnknown) {
				t.Errorf("got token %v with verdict %d", token, got)
			}
		})
	}
}

func TestRevokedWinsOverEveryTime(t *testing.T) {
	token := NewToken("a", secretOf("a"))
	token.Revoked, token.NotBefore, token.Expires = true, 1, 1<<40
	if got := token.VerdictAt(noon); got != VerdictRevoked {
		t.Errorf("got %d, want revoked", got)
	}
}

func TestEmptyKeyringsRefuseEveryRequest(t *testing.T) {
	empty := mustKeyring(t)
	for name, ring := range map[string]*Keyring{"nil": nil, "the zero value": {}, "one without tokens": empty} {
		t.Run(name, func(t *testing.T) {
			for _, digest := range []Digest{{}, secretOf("a").Digest(), Secret{}.Digest()} {
				if token, got := ring.Lookup(digest, noon); token != nil || got != VerdictUnknown {
					t.Errorf("got %v, %d, want no token", token, got)
				}
			}
			for range ring.Tokens {
				t.Error("it holds a token")
			}
			if ring.Len() != 0 {
				t.Errorf("it has %d tokens", ring.Len())
			}
		})
	}
}

func TestNewKeyringRefuses(t *testing.T) {
	named := func(name, secret string, change func(*Token)) Token {
		token := NewToken(name, secretOf(secret), ScopeInfer)
		if change != nil {
			change(&token)
		}
		return token
	}
	expires := func(t *Token) { t.Expires = noon.Unix() }
	revoked := func(t *Token) { t.Revoked = true }
	notYet := func(t *Token) { t.NotBefore = noon.Unix() + 9 }
	cases := map[string]struct {
		tokens []Token
		want   string // a part of the message; "" for none
	}{
		"two tokens":                              {[]Token{named("a", "1", nil), named("b", "2", nil)}, ""},
		"one token under two names":               {[]Token{named("a", "1", nil), named("b", "1", nil)}, "same token"},
		"one token twice under one name":          {[]Token{named("a", "1", expires), named("a", "1", nil)}, "same token"},
		"one token twice, once revoked":           {[]Token{named("a", "1", revoked), named("b", "1", nil)}, "same token"},
		"two lasting tokens of one name":          {[]Token{named("a", "1", nil), named("a", "2", nil)}, "two tokens are named a"},
		"a lasting and a later one of one name":   {[]Token{named("a", "1", nil), named("a", "2", notYet)}, "two tokens are named a"},
		"a lasting and an expiring one":           {[]Token{named("a", "1", nil), named("a", "2", expires)}, ""},
		"a lasting and a revoked one":             {[]Token{named("a", "1", revoked), named("a", "2", nil)}, ""},
		"two expiring ones of one name":           {[]Token{named("a", "1", expires), named("a", "2", expires)}, ""},
		"a token that is no digest of anything":   {[]Token{{Name: "a"}}, "no token"},
		"a token made of no secret":               {[]Token{NewToken("a", Secret{})}, "no token"},
		"the same token twice, far apart":         {append(tokensOf(1000), named("last", "t0", nil)), "same token"},
		"the same token twice, behind each other": {append([]Token{named("first", "t0", nil)}, tokensOf(9)...), "same token"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ring, err := NewKeyring(c.tokens)
			if c.want == "" {
				if err != nil || ring.Len() != len(c.tokens) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || ring != nil {
				t.Fatalf("got %v, want %q and no keyring", err, c.want)
			}
			for i := range c.tokens {
				if leaks(err.Error(), c.tokens[i].digest.Hex()) || leaks(err.Error(), tokenOf(c.tokens[i].Name)) {
					t.Errorf("the error shows a digest: %v", err)
				}
			}
		})
	}
}

func TestNewKeyringIsBounded(t *testing.T) {
	if _, err := NewKeyring(make([]Token, MaxTokens+1)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("got %v, want a refusal", err)
	}
}

// Every token is found, whatever lies beside it: the look-up's window is cut at
// both ends of the slice, so small keyrings and the sizes around a window and a
// power of two are the ones to try.
func TestEveryTokenIsFound(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 255, 256, 257, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			ring := mustKeyring(t, tokensOf(n)...)
			if ring.Len() != n {
				t.Fatalf("%d tokens", ring.Len())
			}
			for i := range n {
				name := fmt.Sprintf("t%d", i)
				token, got := ring.Lookup(secretOf(name).Digest(), noon)
				if got != VerdictValid || token.Name != name {
					t.Fatalf("%s: got %v, %d", name, token, got)
				}
			}
			for i := range 100 {
				if token, got := ring.Lookup(secretOf(fmt.Sprintf("unknown %d", i)).Digest(), noon); token != nil || got != VerdictUnknown {
					t.Fatalf("an unknown digest was found as %v, %d", token, got)
				}
			}
		})
	}
}

// The first and the last tokens of the slice are where an error of one would
// show; the hash is seeded anew each time, so that all ends come by.
func TestTokensAtTheEndsAreFound(t *testing.T) {
	for range 200 {
		ring := mustKeyring(t, tokensOf(2*window)...)
		for _, i := range []int{0, 1, window - 1, window, len(ring.tokens) - 2, len(ring.tokens) - 1} {
			want := ring.tokens[i]
			if token, got := ring.Lookup(want.digest, noon); got != VerdictValid || token.Name != want.Name {
				t.Fatalf("token %d: got %v, %d", i, token, got)
			}
		}
	}
}

// One bucket fuller than the window is rare, and must not hide a token.
func TestBucketFullerThanTheWindow(t *testing.T) {
	tokens := tokensOf(5 * window)
	ring := mustKeyring(t, tokens...)
	crowded := &Keyring{seed: ring.seed, shift: 64, starts: []uint32{0, uint32(len(tokens))}, tokens: tokens}
	for i := range tokens {
		crowded.digests = append(crowded.digests, tokens[i].digest)
	}
	for i := range tokens {
		if token, got := crowded.Lookup(tokens[i].digest, noon); got != VerdictValid || token.Name != tokens[i].Name {
			t.Fatalf("token %d: got %v, %d", i, token, got)
		}
	}
}

func TestKeyringDoesNotShareItsInput(t *testing.T) {
	tokens := tokensOf(3)
	ring := mustKeyring(t, tokens...)
	tokens[0].Revoked, tokens[1].Name, tokens[2] = true, "other", Token{}
	for i := range 3 {
		if token, got := ring.Lookup(secretOf(fmt.Sprintf("t%d", i)).Digest(), noon); got != VerdictValid || token.Name != fmt.Sprintf("t%d", i) {
			t.Errorf("token %d changed with the caller's slice: %v, %d", i, token, got)
		}
	}
}

func TestKeyringProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		known := rapid.SliceOfNDistinct(rapid.StringN(1, 20, -1), 0, 40, rapid.ID[string]).Draw(rt, "secrets")
		tokens := make([]Token, len(known))
		for i, secret := range known {
			tokens[i] = NewToken(fmt.Sprintf("n%d", i), NewSecret(secret))
		}
		ring, err := NewKeyring(tokens)
		if err != nil {
			rt.Fatal(err)
		}
		for i, secret := range known {
			if token, got := ring.Lookup(digestOf(secret), noon); got != VerdictValid || token.Name != fmt.Sprintf("n%d", i) {
				rt.Fatalf("token %d of %d: %v, %d", i, len(known), token, got)
			}
			near := tokens[i].digest
			near[rapid.IntRange(0, len(near)-1).Draw(rt, "byte")] ^= 1
			if token, _ := ring.Lookup(near, noon); token != nil {
				rt.Fatal("a digest that differs in one bit was found")
			}
		}
	})
}
