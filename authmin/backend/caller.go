package backend

import (
	"context"

	"github.com/llorch/gateway/authmin"
)

// Caller is the identity behind a request. The zero value has no name and no scope.
type Caller struct {
	Name   string // as the gateway gives it, or [authmin.NameDefault]; "" without an identity
	Scopes []authmin.Scope
	Models *authmin.Models // that it may use; nil: every model
}

type callerKey struct{}

// Allows reports whether the caller has any of these scopes. Admin has every
// one; asking for none is refused.
func (c Caller) Allows(anyOf ...authmin.Scope) bool { return authmin.Allows(c.Scopes, anyOf...) }

// WithCaller puts a caller into a context.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of a context, the zero value if there is none.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
