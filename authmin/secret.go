package authmin

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// redacted is printed in place of a secret.
const redacted = "[redacted]"

// randomSecretBytes is the entropy of a generated token: 256 bits, 43
// characters of base64url.
const randomSecretBytes = 32

// Secret is a token. Every way of formatting, logging or marshalling it gives
// "[redacted]". The zero value is no secret, and equals nothing.
//
// The text is behind a pointer, so that a Secret in an unexported field of another
// struct, where fmt cannot call methods, prints an address.
type Secret struct {
	text *string
}

// NewSecret wraps a token. An empty text gives the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// RandomSecret makes a token of 256 random bits (43 characters, base64url). It
// discards one in 200,000, which has more separators than a [Redactor] looks for.
func RandomSecret() Secret {
	raw := make([]byte, randomSecretBytes)
	for {
		rand.Read(raw) // never fails: it ends the program instead (Go 1.24)
		if text := base64.RawURLEncoding.EncodeToString(raw); cutsOf(text) <= maxInner {
			return NewSecret(text)
		}
	}
}

// Reveal returns the token itself. Call it only where the token has to be written:
// to an Authorization header, or to a file that only its owner can read.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no token.
func (s Secret) IsZero() bool { return s.text == nil }

// Digest returns the SHA-256 of the token.
func (s Secret) Digest() Digest { return digestOf(s.Reveal()) }

// Fingerprint returns the token's fp6; see [Digest.Fingerprint].
func (s Secret) Fingerprint() string { return s.Digest().Fingerprint() }

// Equal compares two tokens by their digests in constant time. A zero Secret equals
// nothing, not even another zero Secret.
func (s Secret) Equal(t Secret) bool {
	same := s.Digest().Equal(t.Digest())
	return same && !s.IsZero() && !t.IsZero()
}

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// Format implements [fmt.Formatter] for every verb, %#v included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and so JSON, XML and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
