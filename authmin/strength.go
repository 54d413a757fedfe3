package authmin

import (
	"errors"
	"fmt"
	"strings"
)

// MinTokenLength is the minimum length of a token in characters. 32 characters of the
// RFC 6750 alphabet can hold 190 bits; as hexadecimal digits they hold 128.
const MinTokenLength = 32

// MaxTokenLength bounds a token, in bytes, where it is read: in a header, a
// file, or the environment.
const MaxTokenLength = 8 << 10

// ErrWeakToken is wrapped by every refusal of [CheckStrength].
var ErrWeakToken = errors.New("unusable token")

// CheckStrength refuses a token that is too short, is not a valid bearer credential,
// or is an unresolved placeholder. The error names the remedy and never any part of
// the token.
func CheckStrength(s Secret) error {
	text := s.Reveal()
	n := len(text)
	bare := strings.TrimRight(text, "=") // padding is not strength
	switch {
	case n == 0:
		return fmt.Errorf("%w: it is empty; make one with `llorch authmin token new` or `openssl rand -hex 32`", ErrWeakToken)
	case strings.ContainsAny(text, "{}$<>"):
		return fmt.Errorf("%w: it looks like an unresolved placeholder; check the variable or file that it names", ErrWeakToken)
	case n > MaxTokenLength:
		return fmt.Errorf("%w: %d bytes are over the limit of %d", ErrWeakToken, n, MaxTokenLength)
	case len(strings.TrimSpace(text)) < n:
		return fmt.Errorf("%w: it holds a character that no token has, a blank, tab or line end before or after it; remove that (printf %%s writes none)", ErrWeakToken)
	case strings.ContainsAny(text, " \t\r\n"):
		return fmt.Errorf("%w: it holds a character that no token has, a blank or line end in it; a source holds one token and nothing else", ErrWeakToken)
	case !isToken68(text):
		return fmt.Errorf("%w: it holds a character that a bearer token cannot have (RFC 6750: letters, digits and -._~+/, then =)", ErrWeakToken)
	case len(bare) < MinTokenLength:
		return fmt.Errorf("%w: %d characters are fewer than %d; make one with `openssl rand -hex 32`", ErrWeakToken, len(bare), MinTokenLength)
	case strings.Count(bare, bare[:1]) == len(bare):
		return fmt.Errorf("%w: it repeats one character; make one with `openssl rand -hex 32`", ErrWeakToken)
	}
	return nil
}
