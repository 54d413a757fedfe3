package caddymodule

import (
	"errors"
	"net/http"
	"slices"

	"github.com/llorch/gateway/authmin"
)

// The words of the option `credentials`.
const (
	credentialBearer = "bearer"
	credentialAPIKey = "x-api-key"
)

var errCredentials = errors.New("want `credentials bearer` (the default) or `credentials bearer x-api-key`; Authorization: Bearer is always read")

// readsAPIKey reports whether these words of `credentials` include X-Api-Key. No words
// are the default. Their order has no meaning: neither header goes first.
func readsAPIKey(words []string) (bool, error) {
	sorted := slices.Sorted(slices.Values(words))
	switch {
	case len(words) == 0, slices.Equal(sorted, []string{credentialBearer}):
		return false, nil
	case slices.Equal(sorted, []string{credentialBearer, credentialAPIKey}):
		return true, nil
	}
	return false, errCredentials
}

// ReadsAPIKey reports whether the guard reads X-Api-Key as well as Authorization.
func (g *Guard) ReadsAPIKey() bool { return slices.Contains(g.Credentials, credentialAPIKey) }

// dropCredentials takes off a request the fields that the guard reads a credential
// from, whether it was asked to read them on this route or not.
func (g *Guard) dropCredentials(h http.Header) {
	delete(h, "Authorization")
	if g.decider.APIKey {
		delete(h, authmin.HeaderAPIKey)
	}
}
