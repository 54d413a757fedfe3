package authmin

import "net/http"

// HeaderAPIKey is the field in which Anthropic's clients send a token, without a
// scheme. It is read where [Decider.APIKey] is set.
const HeaderAPIKey = "X-Api-Key"

// ParseAPIKey reads the lines of a request's X-Api-Key field: exactly one, which is a
// token as [ParseBearer] defines it, and nothing else.
func ParseAPIKey(lines []string) (Digest, Presented) {
	switch {
	case len(lines) == 0:
		return Digest{}, PresentedNothing
	case len(lines) > 1 || len(lines[0]) > MaxTokenLength || !isToken68(lines[0]):
		return Digest{}, PresentedMalformed
	}
	return digestOf(lines[0]), PresentedToken
}

// ParseCredential reads the credential of a request from its Authorization field and,
// if apiKey is set, from its X-Api-Key field. Some clients send both: with two
// different tokens, or if one of the fields is malformed, the credential is malformed.
func ParseCredential(h http.Header, apiKey bool) (Digest, Presented) {
	bearer, presented := ParseBearer(h["Authorization"])
	if !apiKey {
		return bearer, presented
	}
	key, also := ParseAPIKey(h[HeaderAPIKey])
	switch {
	case also == PresentedNothing:
		return bearer, presented
	case presented == PresentedNothing:
		return key, also
	case presented == PresentedToken && also == PresentedToken && bearer.Equal(key):
		return bearer, PresentedToken
	}
	return Digest{}, PresentedMalformed
}

// The answers where X-Api-Key is read: only the hints differ.
var (
	problemMissingTokenOrKey = withHint(ProblemMissingToken, "Send the header Authorization: Bearer TOKEN, or X-Api-Key: TOKEN.")
	problemBadTokenOrKey     = withHint(ProblemBadToken, "Send one header Authorization: Bearer TOKEN, or one X-Api-Key: TOKEN, with a token that is valid now; in both headers it has to be the same token.")
)

func withHint(p Problem, hint string) Problem {
	p.Hint = hint
	return p
}

// problemFor is [ProblemFor] with hints for the credentials that are read.
func (g *Decider) problemFor(reason Reason) *Problem {
	p := ProblemFor(reason)
	switch {
	case g.APIKey && p == &ProblemMissingToken:
		return &problemMissingTokenOrKey
	case g.APIKey && p == &ProblemBadToken:
		return &problemBadTokenOrKey
	}
	return p
}
