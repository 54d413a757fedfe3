package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
)

// maxBody is the limit of a request body, 1 MiB. huma refuses a body of
// exactly its own limit, hence the one.
const maxBody = 1<<20 + 1

// APIOptions describe a service's contract.
type APIOptions struct {
	Title       string // of the OpenAPI document
	Version     string
	Log         *slog.Logger
	NoRoute     string        // the code of the answer where no route is; "": ROUTE_NOT_FOUND
	BodyTimeout time.Duration // how long a body may take; 0: 5 s
	// Translate makes the answer to an error of a handler: a [Problem], or a type
	// that embeds one. It is called with the request's context.
	Translate func(context.Context, error) huma.StatusError
	// Problem is the type of a problem, for the OpenAPI document; nil: Problem.
	Problem reflect.Type
	// Rewrite may give another request to route; it may not change its method.
	Rewrite func(*http.Request) *http.Request
}

// Route is one route of a contract, and the scopes that may use it.
type Route struct {
	Method string
	Path   string          // as in net/http's patterns: /pools/{id}/status
	Scopes []authmin.Scope // any of them
	Public bool            // needs no credential at all
}

// API serves a contract. Each route is defined once: that gives the handler, the
// validation, the scope check, its place in the OpenAPI document, and its line in
// the list that tests walk. Wrap it in [Authenticator.Wrap].
type API struct {
	o      APIOptions
	mux    *Router
	huma   huma.API
	routes []Route
}

// NewAPI returns a contract without a route. [Add] and [API.AddRaw] define them.
func NewAPI(o APIOptions) *API {
	o.Log = cmp.Or(o.Log, slog.Default())
	o.NoRoute = cmp.Or(o.NoRoute, "ROUTE_NOT_FOUND")
	if o.Problem == nil {
		o.Problem = reflect.TypeFor[Problem]()
	}
	a := &API{o: o, mux: NewRouter()}
	config := huma.DefaultConfig(o.Title, o.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Formats = formats()
	config.CreateHooks = nil // no $schema links: they would point nowhere
	config.Transformers = []huma.Transformer{a.transform}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {Type: "http", Scheme: "bearer"}}
	a.huma = humago.New(a.mux, config)
	a.huma.UseMiddleware(a.authorize)
	return a
}

// Huma is for descriptions that [Add] does not make, such as schemas.
func (a *API) Huma() huma.API { return a.huma }

// Routes lists every route that is served. One that was registered without a
// declared scope is listed without one, so that no test overlooks it.
func (a *API) Routes() []Route {
	all := slices.Clone(a.routes)
	for _, p := range a.mux.Undeclared(a.declares) {
		all = append(all, Route{Method: p.Method, Path: p.Path})
	}
	return all
}

func (a *API) declares(p Pattern) bool {
	return slices.ContainsFunc(a.routes, func(r Route) bool { return r.Method == p.Method && r.Path == p.Path })
}

// ServeHTTP routes a request. Every answer, problems included, may not be cached
// and has to be read within a minute.
func (a *API) ServeHTTP(out http.ResponseWriter, sent *http.Request) {
	w, r := &answer{ResponseWriter: out}, sent
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer a.recover(w, r)
	if kind := r.Header.Get("Content-Type"); kind != "" {
		r.Header.Set("Content-Type", strings.ToLower(kind)) // huma compares letter by letter
	}
	if a.o.Rewrite != nil {
		r = a.o.Rewrite(r)
	}
	// The mux would redirect an unclean path; here it is no route.
	if _, pattern := a.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		a.notFound(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
	sent.Pattern = r.Pattern // for what is around: the trace and the log
}

// notFound answers 405 where another method has a route, else 404.
func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := a.mux.Handler(probe); pattern != "" {
			allow = append(allow, method)
		}
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	if len(allow) > 0 && path.Clean(r.URL.Path) == r.URL.Path {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		a.WriteProblem(w, r, NewProblem(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "The header Allow names the methods of this route."))
		return
	}
	a.WriteProblem(w, r, NewProblem(http.StatusNotFound, a.o.NoRoute, "GET /openapi.json lists the routes."))
}

// Document serves the OpenAPI document.
func (a *API) Document(w http.ResponseWriter, r *http.Request) {
	text, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		a.WriteProblem(w, r, a.o.Translate(r.Context(), err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
