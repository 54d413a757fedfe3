package authmin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Scope names what a token may be used for.
type Scope string

// The scopes of the shipped policy. Others may be named by an operator.
const (
	ScopeInfer    Scope = "infer"    // run tasks and inference
	ScopeNodes    Scope = "nodes"    // register a node and keep it alive
	ScopeDispatch Scope = "dispatch" // send work to a pool manager
	ScopeCatalog  Scope = "catalog"  // change the model catalog
	ScopeMetrics  Scope = "metrics"  // scrape
	ScopeAdmin    Scope = "admin"    // every other scope, and administration
)

// MaxScopes bounds the scopes of one token and of one rule.
const MaxScopes = 32

// maxNameLength bounds the names of tokens and scopes, in bytes.
const maxNameLength = 64

// AllScopes returns the scopes of the shipped policy.
func AllScopes() []Scope {
	return []Scope{ScopeInfer, ScopeNodes, ScopeDispatch, ScopeCatalog, ScopeMetrics, ScopeAdmin}
}

// ParseScopes reads `SCOPE[,SCOPE…]`.
func ParseScopes(list string) ([]Scope, error) {
	names := strings.SplitN(list, ",", MaxScopes+1)
	if len(names) > MaxScopes {
		return nil, fmt.Errorf("reading scopes: more than %d", MaxScopes)
	}
	scopes := make([]Scope, 0, len(names))
	for i, name := range names {
		if !isName(name) { // not repeated in the error: it could be a token
			return nil, fmt.Errorf("reading scopes: number %d is not a scope; want 1 to %d of a-z, 0-9, _ and -", i+1, maxNameLength)
		}
		if slices.Contains(scopes, Scope(name)) {
			return nil, fmt.Errorf("reading scopes: %s is named twice", name)
		}
		scopes = append(scopes, Scope(name))
	}
	return scopes, nil
}

// JoinScopes is the inverse of [ParseScopes], with a separator: "," in files and
// headers, " " in the scope attribute of a challenge (RFC 6750 §3).
func JoinScopes(scopes []Scope, separator string) string {
	if len(scopes) == 1 { // most tokens, in every request
		return string(scopes[0])
	}
	var b strings.Builder
	for i, s := range scopes {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(string(s))
	}
	return b.String()
}

var errTokenName = errors.New("not a token name; want 1 to 64 of a-z, 0-9, _ and -")

// CheckTokenName refuses a name that is not [a-z0-9_-]{1,64}, and the reserved
// names, which have another meaning in the audit trail.
func CheckTokenName(name string) error {
	if !isName(name) {
		return errTokenName // without the text: it could be a token
	}
	switch name {
	case NameLocalhost, NameAnonymous, NameDefault:
		return fmt.Errorf("token name %s is reserved; choose another", name)
	}
	if len(name) >= MinTokenLength && strings.Trim(name, "0123456789abcdef") == "" {
		return errors.New("a token name of so many hexadecimal digits looks like a token; choose another")
	}
	return nil
}

// IsName reports whether a text is [a-z0-9_-]{1,64}: what tokens, and callers of
// the gateway, may be called.
func IsName(text string) bool { return isName(text) }

func isName(text string) bool {
	if text == "" || len(text) > maxNameLength {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// clip bounds text that an error repeats.
func clip(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
