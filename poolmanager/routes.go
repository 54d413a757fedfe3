package poolmanager

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// maxBodyBytes is the largest body, 1 MiB as api.md says; huma refuses a body
// that fills its limit, hence the one more.
const maxBodyBytes = 1<<20 + 1

// bearer is the name of the security scheme in the OpenAPI document.
const bearer = "bearer"

// Route is one route of the API, and who may use it.
type Route struct {
	Method string
	Path   string // as in net/http's patterns: /pools/{id}/status
	Scopes []authmin.Scope
	Public bool
}

// api is the HTTP face of a manager. Each route is defined once: that gives the
// handler, the validation, the scope check, OpenAPI, and the list that tests walk.
type api struct {
	env    *environment
	pools  *manager
	mux    *backend.Router
	huma   huma.API
	routes []Route
}

// A member in other letters is another one. encoding/json takes WAIT_MS for
// wait_ms all the same, and would do so with a value that was not validated.
func init() { huma.ValidateStrictCasing = true }

func newAPI(env *environment, pools *manager) *api {
	config := huma.DefaultConfig("llorch pool manager", Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema links in answers
	config.Transformers = []huma.Transformer{problemBody}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {Type: "http", Scheme: "bearer"}}
	mux := backend.NewRouter()
	a := &api{env: env, pools: pools, mux: mux, huma: humago.New(mux, config)}
	a.huma.UseMiddleware(a.checkScope)
	a.define()
	return a
}

// Routes lists every route that a pool manager serves. One that was registered
// without a declared scope is listed without one, so that no test overlooks it.
func Routes() []Route { return newAPI(&environment{}, &manager{}).served() }

func (a *api) served() []Route {
	all := slices.Clone(a.routes)
	for _, p := range a.mux.Undeclared(a.declares) {
		all = append(all, Route{Method: p.Method, Path: p.Path})
	}
	return all
}

func (a *api) declares(p backend.Pattern) bool {
	return slices.ContainsFunc(a.routes, func(r Route) bool { return r.Method == p.Method && r.Path == p.Path })
}

// add defines one route through huma. No scope means public, and only one
// route may be: the middleware refuses an operation that declares nothing.
func add[I, O any](a *api, op huma.Operation, scope authmin.Scope, handler func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes, op.BodyReadTimeout = maxBodyBytes, a.env.times.bodyLimit
	op.Security = security(scope)
	a.list(op.Method, op.Path, scope)
	huma.Register(a.huma, op, handler)
}

// addRaw defines a route that huma cannot describe, with the same check.
func (a *api) addRaw(path string, scope authmin.Scope, handler http.HandlerFunc) {
	a.list(http.MethodGet, path, scope)
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if allowed(w, r, []authmin.Scope{scope}) {
			handler(w, r)
		}
	})
}

func (a *api) list(method, path string, scope authmin.Scope) {
	route := Route{Method: method, Path: path, Public: scope == ""}
	if scope != "" {
		route.Scopes = []authmin.Scope{scope}
	}
	a.routes = append(a.routes, route)
}

func security(scope authmin.Scope) []map[string][]string {
	if scope == "" {
		return []map[string][]string{{}} // OpenAPI's way to say: none needed
	}
	return []map[string][]string{{bearer: {string(scope)}}}
}

// checkScope lets a request pass when the caller has the scope that the
// operation declares. One that declares nothing is refused.
func (a *api) checkScope(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	declared := ctx.Operation().Security
	if len(declared) == 1 && len(declared[0]) == 0 {
		next(ctx)
		return
	}
	var scopes []authmin.Scope
	for _, alternative := range declared {
		for _, name := range alternative[bearer] {
			scopes = append(scopes, authmin.Scope(name))
		}
	}
	if allowed(w, r, scopes) {
		next(ctx)
	}
}

func allowed(w http.ResponseWriter, r *http.Request, scopes []authmin.Scope) bool {
	if backend.CallerFrom(r.Context()).Allows(scopes...) {
		return true
	}
	w.Header().Set("WWW-Authenticate", authmin.Challenge(authmin.ProblemScope, scopes))
	authmin.WriteProblem(w, r, authmin.ProblemScope)
	return false
}

// ServeHTTP answers what no route matches with a problem, too.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	plain := &discarded{header: http.Header{}}
	handler.ServeHTTP(plain, r)
	problem := authmin.Problem{Status: 404, Code: "NOT_FOUND", CodeNumber: 40400, Title: "there is no such route", Hint: "GET /openapi.json lists the routes."}
	if plain.status == http.StatusMethodNotAllowed {
		problem = authmin.Problem{Status: 405, Code: "METHOD_NOT_ALLOWED", CodeNumber: 40501, Title: "the route has other methods", Hint: "The header Allow names them."}
		w.Header().Set("Allow", plain.header.Get("Allow"))
	}
	authmin.WriteProblem(w, r, problem)
}

// discarded takes the mux's own plain answer, of which only the status and the
// header Allow are used.
type discarded struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (d *discarded) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (d *discarded) WriteHeader(status int) { d.status = status }
