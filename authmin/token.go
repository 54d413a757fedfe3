package authmin

import "time"

// Names that no configured token may have.
const (
	NameDefault   = "default"   // the token of the environment, with every scope
	NameLocalhost = "localhost" // the loopback bypass
	NameAnonymous = "anonymous" // no identity
)

// Token is the record of one token in a keyring, with the digest in place of the
// token. Times are Unix seconds, 0 for none, to keep a million records small.
type Token struct {
	Name      string
	Scopes    []Scope
	Created   int64 // informational
	NotBefore int64 // refused before this second
	Expires   int64 // refused from this second on
	Revoked   bool
	Models    *Models // that it may use; nil: every model
	Budgets   []Budget
	digest    Digest
	spelling  *spelling // nil if only the digest was known
}

// NewToken makes a token without limits in time from its secret.
func NewToken(name string, secret Secret, scopes ...Scope) Token {
	return Token{Name: name, Scopes: scopes, digest: secret.Digest(), spelling: spellingOf(secret)}
}

// Digest returns the SHA-256 of the token.
func (t Token) Digest() Digest { return t.digest }

// Fingerprint returns the token's fp6.
func (t Token) Fingerprint() string { return t.digest.Fingerprint() }

// String is the name and the fp6: all that a log may show of a token.
func (t Token) String() string { return t.Name + " (fp6 " + t.Fingerprint() + ")" }

// GoString is [Token.String].
func (t Token) GoString() string { return t.String() }

// Verdict is the result of looking up a presented token in a keyring.
type Verdict uint8

// The zero Verdict refuses.
const (
	VerdictUnknown Verdict = iota
	VerdictExpired
	VerdictRevoked
	VerdictNotYet
	VerdictValid
)

// VerdictAt returns the verdict of the token at a time.
func (t *Token) VerdictAt(now time.Time) Verdict {
	second := now.Unix()
	switch {
	case t.Revoked:
		return VerdictRevoked
	case t.Expires != 0 && second >= t.Expires:
		return VerdictExpired
	case t.NotBefore != 0 && second < t.NotBefore:
		return VerdictNotYet
	}
	return VerdictValid
}
