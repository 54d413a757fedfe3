package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// maxRevokeBody bounds the request, in bytes: a name and an fp6.
	maxRevokeBody = 4 << 10
	// revokeLimit bounds a revocation: the file is read again within a second of its
	// change.
	revokeLimit = 5 * time.Second
	// revokePoll is the interval at which the keyring in use is checked meanwhile.
	revokePoll = 20 * time.Millisecond
)

// revocation is the body of POST /authmin/tokens/revoke.
type revocation struct {
	Name string `json:"name"`
	FP6  string `json:"fp6,omitempty"` // only this one of the name's tokens
}

// revokeTokens revokes tokens in the keyring files, as `authmin token revoke` does. It
// answers when the revocation is in force at this gateway.
func revokeTokens(a *App, r *http.Request) (any, error) {
	var asked revocation
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxRevokeBody))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&asked) != nil || authmin.CheckTokenName(asked.Name) != nil {
		return nil, adminError(http.StatusBadRequest, `want {"name": NAME} or {"name": NAME, "fp6": FP6}`)
	}
	ctx, cancel := context.WithTimeout(r.Context(), revokeLimit)
	defer cancel()
	found := false
	for _, path := range a.TokenFiles {
		err := authmin.EditKeyringFile(ctx, path, func(tokens []authmin.Token) ([]authmin.Token, error) {
			return Revoke(tokens, asked.Name, asked.FP6)
		})
		if err != nil && !errors.Is(err, ErrNoToken) {
			return nil, adminError(http.StatusInternalServerError, err.Error())
		}
		found = found || err == nil
	}
	if !found {
		return nil, adminError(http.StatusNotFound, "no keyring file has that token; remove a token of the Caddyfile there")
	}
	if err := a.waitRevoked(ctx, asked); err != nil {
		return nil, adminError(http.StatusInternalServerError, "the keyring file was changed, but the gateway has not loaded it; see its log")
	}
	return map[string]any{"revoked": asked}, nil
}

// Revoke marks the tokens of a name as revoked. Their lines stay in the keyring, so that
// the audit trail can distinguish a revoked token from an unknown one.
func Revoke(tokens []authmin.Token, name, fp6 string) ([]authmin.Token, error) {
	found := false
	for i := range tokens {
		if t := &tokens[i]; t.Name == name && (fp6 == "" || t.Fingerprint() == fp6) {
			t.Revoked, found = true, true
		}
	}
	if !found {
		return nil, ErrNoToken
	}
	return tokens, nil
}

// ErrNoToken does not contain the name, which may be a token typed by mistake.
var ErrNoToken = errors.New("no usable token has that name; `authmin token list` shows them")

// waitRevoked waits until none of the tokens is valid in the keyring in use.
func (a *App) waitRevoked(ctx context.Context, asked revocation) error {
	tick := time.NewTicker(revokePoll)
	defer tick.Stop()
	for {
		tokens := slices.Collect(tokensNamed(a.store.keyring(), asked))
		if !slices.ContainsFunc(tokens, func(t *authmin.Token) bool { return !t.Revoked }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// tokensNamed iterates over the tokens that a revocation applies to.
func tokensNamed(ring *authmin.Keyring, asked revocation) func(yield func(*authmin.Token) bool) {
	return func(yield func(*authmin.Token) bool) {
		for t := range ring.Tokens {
			if t.Name == asked.Name && (asked.FP6 == "" || t.Fingerprint() == asked.FP6) && !yield(t) {
				return
			}
		}
	}
}
