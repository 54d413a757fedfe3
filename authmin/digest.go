package authmin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
)

// Digest is the SHA-256 of a token. Tokens are compared by their digests only: all
// digests have one length, so a constant-time comparison cannot return early, and
// the position where two digests differ reveals nothing about the token.
type Digest [sha256.Size]byte

// fingerprintDigits is the length of an fp6 in hexadecimal digits.
const fingerprintDigits = 6

// digestOf keeps a token of usual length on the stack: it runs for every request.
func digestOf(text string) Digest {
	var usual [128]byte
	return sha256.Sum256(append(usual[:0], text...))
}

// ParseDigest reads 64 lower-case hexadecimal digits.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	if len(text) != hex.EncodedLen(len(d)) {
		return Digest{}, fmt.Errorf("reading digest: want %d hexadecimal digits, got %d characters", hex.EncodedLen(len(d)), len(text))
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Digest{}, fmt.Errorf("reading digest: character %d is not a lower-case hexadecimal digit", i+1)
		}
	}
	if _, err := hex.Decode(d[:], []byte(text)); err != nil {
		return Digest{}, fmt.Errorf("reading digest: %w", err)
	}
	return d, nil
}

// Equal compares in constant time.
func (d Digest) Equal(e Digest) bool {
	return subtle.ConstantTimeCompare(d[:], e[:]) == 1
}

// Hex returns the 64 digits that a keyring file holds.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// Fingerprint returns the fp6: the first 6 lower-case hexadecimal digits of the
// SHA-256 of the token. It is for logs only: never a credential, never a metric
// label, and no identity, since two tokens may share one.
func (d Digest) Fingerprint() string {
	var digits [fingerprintDigits]byte // one allocation: it is made for every request
	hex.Encode(digits[:], d[:fingerprintDigits/2])
	return string(digits[:])
}

// String is the fingerprint, so that a digest printed by mistake shows no more
// than the audit trail does.
func (d Digest) String() string { return d.Fingerprint() }

// Format implements [fmt.Formatter] for every verb, %#v and %d included.
func (d Digest) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.Fingerprint()) }

// MarshalText implements [encoding.TextMarshaler], and so JSON.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.Fingerprint()), nil }
