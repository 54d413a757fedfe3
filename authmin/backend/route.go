package backend

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
)

const (
	// Public marks a route that needs no credential. Only GET /health and GET /ready may
	// be one.
	Public = authmin.Scope("")
	// bearer is the name of the security scheme in the OpenAPI document.
	bearer = "bearer"
)

// Add defines an operation and the scope that it needs. A body is limited to
// 1 MiB. The error of a handler becomes an answer by [APIOptions.Translate].
func Add[I, O any](a *API, scope authmin.Scope, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes = maxBody
	if op.BodyReadTimeout == 0 {
		op.BodyReadTimeout = a.o.BodyTimeout
	}
	op.Security = []map[string][]string{{bearer: {string(scope)}}}
	if scope == Public {
		op.Security = []map[string][]string{{}} // OpenAPI's way to say: none needed
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = a.problemResponse()
	a.list(op.Method, op.Path, scope)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, a.o.Translate(ctx, err)
		}
		return out, nil
	})
}

// AddRaw defines a route that huma cannot describe, such as metrics: GET only,
// with the same check of the scope.
func (a *API) AddRaw(scope authmin.Scope, path string, h http.Handler) {
	a.list(http.MethodGet, path, scope)
	a.mux.HandleFunc(http.MethodGet+" "+path, func(w http.ResponseWriter, r *http.Request) {
		if allowed(w, r, nil, []authmin.Scope{scope}) {
			h.ServeHTTP(w, r)
		}
	})
}

func (a *API) list(method, path string, scope authmin.Scope) {
	r := Route{Method: method, Path: path, Public: scope == Public}
	if !r.Public {
		r.Scopes = []authmin.Scope{scope}
	}
	a.routes = append(a.routes, r)
}

// authorize refuses a caller without one of the operation's scopes. An operation
// that declares none, by mistake, is refused to every caller.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if isPublicPath(op.Path) && len(op.Security) == 1 && len(op.Security[0]) == 0 {
		next(ctx)
		return
	}
	var scopes []authmin.Scope
	for _, alternative := range op.Security {
		for _, name := range alternative[bearer] {
			if name != "" {
				scopes = append(scopes, authmin.Scope(name))
			}
		}
	}
	if r, w := humago.Unwrap(ctx); allowed(w, r, op, scopes) {
		next(ctx)
	}
}

// allowed refuses a caller that has none of the scopes, and one with a list of models where
// the route is not for such callers.
func allowed(w http.ResponseWriter, r *http.Request, op *huma.Operation, scopes []authmin.Scope) bool {
	caller := CallerFrom(r.Context())
	switch {
	case !caller.Allows(scopes...):
	case closedToList(caller, op, scopes):
		authmin.WriteProblem(w, r, authmin.ProblemModelRoute)
		return false
	default:
		return true
	}
	w.Header().Set("WWW-Authenticate", authmin.Challenge(authmin.ProblemScope, scopes))
	authmin.WriteProblem(w, r, authmin.ProblemScope)
	return false
}
