package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// bearer is the name of the security scheme in the OpenAPI document.
const bearer = "bearer"

// public marks the one route that needs no credential.
const public = authmin.Scope("")

// route declares an operation: where it is, the scope it needs, and what it
// answers with; more describes what the types cannot. The scope is declared here and nowhere else.
func route[I, O any](a *API, scope authmin.Scope, method, path string, status int, summary string, h func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	op := huma.Operation{
		Method: method, Path: path, Summary: summary, DefaultStatus: status, MaxBodyBytes: maxBody,
		OperationID: operationID(method, path),
		Security:    []map[string][]string{{bearer: {string(scope)}}},
		Responses:   map[string]*huma.Response{"default": a.problemResponse()},
	}
	if scope == public {
		op.Security = []map[string][]string{{}}
	}
	for _, describe := range more {
		describe(&op)
	}
	a.list(method, path, scope)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// raw declares a route that huma does not know: documents and metrics.
func (a *API) raw(scope authmin.Scope, path string, h http.Handler) {
	a.list(http.MethodGet, path, scope)
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if !backend.CallerFrom(r.Context()).Allows(scope) {
			forbid(w, r, []authmin.Scope{scope})
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (a *API) list(method, path string, scope authmin.Scope) {
	r := Route{Method: method, Path: path, Public: scope == public}
	if !r.Public {
		r.Scopes = []authmin.Scope{scope}
	}
	a.routes = append(a.routes, r)
}

// authorize refuses a caller without one of the operation's scopes. An
// operation that declares none, by mistake, is refused to everybody.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if op.Method == http.MethodGet && op.Path == "/health" {
		next(ctx)
		return
	}
	var scopes []authmin.Scope
	for _, requirement := range op.Security {
		for _, s := range requirement[bearer] {
			if s != "" {
				scopes = append(scopes, authmin.Scope(s))
			}
		}
	}
	if !backend.CallerFrom(ctx.Context()).Allows(scopes...) {
		r, w := humago.Unwrap(ctx)
		forbid(w, r, scopes)
		return
	}
	next(ctx)
}

func forbid(w http.ResponseWriter, r *http.Request, scopes []authmin.Scope) {
	w.Header().Set("WWW-Authenticate", authmin.Challenge(authmin.ProblemScope, scopes))
	authmin.WriteProblem(w, r, authmin.ProblemScope)
}

// operationID makes get-v2-tasks-id of GET /v2/tasks/{id}.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(c rune) bool { return strings.ContainsRune("/{}._", c) })
	return strings.Join(slices.Insert(words, 0, strings.ToLower(method)), "-")
}
