package caddymodule

import (
	"context"
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Caller is the holder of the token that a request was allowed by.
type Caller struct {
	Name        string
	Scopes      []authmin.Scope
	Fingerprint string // fp6

	digest authmin.Digest
}

type callerKey struct{}

// CallerOf returns the holder of the token by which a guard with TokenOnly allowed a
// request. No other guard sets it, and no public route has it: a handler that needs it
// answers nothing without such a guard before it.
func CallerOf(ctx context.Context) (Caller, bool) {
	caller, ok := ctx.Value(callerKey{}).(Caller)
	return caller, ok
}

// IsAdmin reports whether the caller has scope admin.
func (c Caller) IsAdmin() bool { return slices.Contains(c.Scopes, authmin.ScopeAdmin) }

// IsCurrent reports whether the caller's token is valid now, with the scopes that it had
// when the request was allowed. The guard ends a request whose token is not valid, or has
// no scope of its rule any more; what else a handler shows for a scope is for it to end.
func (a *App) IsCurrent(c Caller) bool {
	now, swept := time.Now(), a.state.live.swept()
	// After a reload the keyring of this configuration is not followed any more.
	return c.isOf(a.store.keyring(), now) && (swept == nil || c.isOf(swept, now))
}

func (c Caller) isOf(ring *authmin.Keyring, now time.Time) bool {
	token, verdict := ring.Lookup(c.digest, now)
	return verdict == authmin.VerdictValid && slices.Equal(token.Scopes, c.Scopes)
}
