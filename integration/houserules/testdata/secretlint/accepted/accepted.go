// Package accepted handles secrets as it should be done. The lint must flag
// none of it.
package accepted

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// eventToken is a constant: it is in the source.
const eventToken = "token"

type token struct {
	Name       string
	TokenCount int
	secret     authmin.Secret
}

func absence(t *token, apiToken string, digest []byte) error {
	if apiToken == "" || digest == nil || len(apiToken) < 32 || t.secret.IsZero() {
		return errors.New("no token")
	}
	switch apiToken {
	case "":
		return errors.New("no token")
	}
	return nil
}

func digests(a, b authmin.Secret, token, given string, mac, want []byte) bool {
	x, y := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 || hmac.Equal(mac, want) || a.Equal(b)
}

var secretWords = []string{"token", "secret"}

func aboutWords(word string) bool { return slices.Contains(secretWords, word) }

func aboutTokens(t *token, tokenName, tokenFile string, seen map[string]int) bool {
	if tokenName == "default" || strings.HasPrefix(tokenFile, "/") || t.TokenCount == 3 {
		return true
	}
	seen[tokenName]++
	return t.Name == tokenName || seen[t.Name] == 2
}

func events(kind, machine string) bool {
	switch kind {
	case eventToken:
		return true
	}
	return kind == eventToken || machine == "m1" // "mac" is a word of its own only
}

// A token of text goes where it likes: only what was revealed is followed.
func stops(token string, words []string) bool { return holdsOne(token+" ", words) }

func holdsOne(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func syntax(token string) bool {
	if strings.ContainsAny(token, "{}$") {
		return false
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || token[i] == '"' {
			return false
		}
	}
	return true
}

func fingerprints(a, b authmin.Secret) bool { return a.Fingerprint() == b.Fingerprint() }

func perToken(m map[*token]int, t *token) int { return m[t] }
