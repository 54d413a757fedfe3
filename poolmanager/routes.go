package poolmanager

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// Route is one route of the API, and the scopes that may use it.
type Route = backend.Route

// api is the HTTP face of a manager.
type api struct {
	env   *environment
	pools *manager
	*backend.API
}

func newAPI(env *environment, pools *manager) *api {
	a := &api{env: env, pools: pools}
	a.API = backend.NewAPI(backend.APIOptions{
		Title: "llorch pool manager", Version: Version, Log: env.log, NoRoute: "NOT_FOUND", BodyTimeout: env.times.bodyLimit,
		Translate: func(ctx context.Context, err error) huma.StatusError { return a.refuse(ctx, err) },
	})
	a.define()
	return a
}

// Routes lists every route that a pool manager serves.
func Routes() []Route { return newAPI(&environment{}, &manager{}).Routes() }

// add defines one route; see [backend.Add].
func add[I, O any](a *api, op huma.Operation, scope authmin.Scope, handler func(context.Context, *I) (*O, error)) {
	backend.Add(a.API, scope, op, handler)
}
