package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// tokenOf is the token of a name: 64 characters, different for each.
func tokenOf(name string) string {
	sum := sha256.Sum256([]byte("token of " + name))
	return hex.EncodeToString(sum[:])
}

func secretOf(name string) authmin.Secret { return authmin.NewSecret(tokenOf(name)) }

func bearerOf(name string) string { return "Bearer " + tokenOf(name) }

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
