package authmin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the tests share: tokens that are always the same, so that a failure can
// be repeated, and one moment that counts as now.

// noon is the moment at which the tests judge tokens.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// tokenOf returns a token for a name: 64 characters, different for every name.
func tokenOf(name string) string {
	sum := sha256.Sum256([]byte("token of " + name))
	return hex.EncodeToString(sum[:])
}

func secretOf(name string) Secret { return NewSecret(tokenOf(name)) }

// tokensOf makes n lasting tokens, named t0, t1, …
func tokensOf(n int) []Token {
	tokens := make([]Token, n)
	for i := range tokens {
		name := fmt.Sprintf("t%d", i)
		tokens[i] = NewToken(name, secretOf(name), ScopeInfer)
	}
	return tokens
}

func mustKeyring(t testing.TB, tokens ...Token) *Keyring {
	t.Helper()
	ring, err := NewKeyring(tokens)
	if err != nil {
		t.Fatalf("building the keyring of the test: %v", err)
	}
	return ring
}

// fourKinds is a keyring with a token of every verdict but unknown.
func fourKinds(t testing.TB) *Keyring {
	t.Helper()
	expired, revoked, future := NewToken("old", secretOf("old"), ScopeAdmin),
		NewToken("gone", secretOf("gone"), ScopeAdmin), NewToken("later", secretOf("later"), ScopeAdmin)
	expired.Expires = noon.Unix()
	revoked.Revoked = true
	future.NotBefore = noon.Unix() + 1
	return mustKeyring(t, NewToken("ci", secretOf("ci"), ScopeInfer), NewToken("ops", secretOf("ops"), ScopeAdmin),
		NewToken("many", secretOf("many"), ScopeMetrics, ScopeNodes), expired, revoked, future)
}

// leaks reports a part of a token in a text: eight bytes of it in a row are
// more than a coincidence.
func leaks(text, token string) bool {
	const part = 8
	for i := 0; i+part <= len(token); i++ {
		if strings.Contains(text, token[i:i+part]) {
			return true
		}
	}
	return false
}
