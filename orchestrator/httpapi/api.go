package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
)

const (
	// maxBody is api.md's limit of a request body: 1 MiB. huma refuses a body
	// of exactly its own limit, hence the one.
	maxBody = 1<<20 + 1
	// DefaultHeartbeat is api.md's interval of SSE comments.
	DefaultHeartbeat = 15 * time.Second
	// DefaultSlowReader is shorter than any heartbeat: who has not taken an event
	// by then is not reading.
	DefaultSlowReader = 10 * time.Second
	// DefaultMaxStreams bounds the open event streams: issue-sized, each costs
	// about 50 KiB of buffers and stack.
	DefaultMaxStreams = 5000
)

// Options are what the contract stands on.
type Options struct {
	Orchestrator *orchestrator.Orchestrator
	Gatherer     prometheus.Gatherer // for /metrics
	Version      string              // "": (devel)
	Log          *slog.Logger
	Heartbeat    time.Duration // 0: DefaultHeartbeat
	SlowReader   time.Duration // how long a reader may stall; 0: DefaultSlowReader
	MaxStreams   int           // 0: DefaultMaxStreams
}

// Route is one entry of the contract.
type Route struct {
	Method, Path string
	Scopes       []authmin.Scope // any of them
	Public       bool            // needs no credential at all
}

// API is the contract, ready to serve.
type API struct {
	o       *orchestrator.Orchestrator
	opts    Options
	log     *slog.Logger
	mux     *backend.Router
	huma    huma.API
	routes  []Route
	streams *orchestrator.Shares // the places for open streams
}

// New defines every route.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Gatherer == nil {
		o.Gatherer = prometheus.NewRegistry()
	}
	if o.Version == "" {
		o.Version = "(devel)"
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.SlowReader == 0 {
		o.SlowReader = DefaultSlowReader
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = DefaultMaxStreams
	}
	a := &API{o: o.Orchestrator, opts: o, log: o.Log, mux: backend.NewRouter(), streams: orchestrator.NewShares(int64(o.MaxStreams))}
	config := huma.DefaultConfig("llorch orchestrator", o.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Formats = formats()
	config.CreateHooks = nil // no $schema links: they would point nowhere
	config.Transformers = []huma.Transformer{transformProblem}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {Type: "http", Scheme: "bearer"}}
	a.huma = humago.New(a.mux, config)
	a.huma.UseMiddleware(a.authorize)
	a.taskRoutes()
	a.sessionRoutes()
	a.artifactRoutes()
	a.catalogRoutes()
	a.controlRoutes()
	a.nodeRoutes()
	a.metaRoutes()
	a.openaiRoutes()
	return a
}

// Routes lists the contract without an orchestrator behind it.
func Routes() []Route { return New(Options{}).Routes() }

// Routes lists every route that is served. One that was registered without a
// declared scope is listed without one, so that no test overlooks it.
func (a *API) Routes() []Route {
	all := slices.Clone(a.routes)
	for _, p := range a.mux.Undeclared(a.declares) {
		all = append(all, Route{Method: p.Method, Path: p.Path})
	}
	return all
}

func (a *API) declares(p backend.Pattern) bool {
	return slices.ContainsFunc(a.routes, func(r Route) bool { return r.Method == p.Method && r.Path == p.Path })
}

// Handler serves the contract. It expects backend.Authenticator around it.
func (a *API) Handler() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w := &answering{ResponseWriter: out}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		defer a.recover(w, r)
		if kind := r.Header.Get("Content-Type"); kind != "" {
			r.Header.Set("Content-Type", strings.ToLower(kind)) // huma compares letter by letter
		}
		r = withPoolName(r)
		// The mux would redirect an unclean path; here it is no route.
		if _, pattern := a.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
			a.notFound(w, r)
			return
		}
		a.mux.ServeHTTP(w, r)
	})
}

// notFound answers 405 where another method has a route, else 404.
func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
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
		writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "see Allow"))
		return
	}
	writeProblem(w, r, newProblem(http.StatusNotFound, "ROUTE_NOT_FOUND", "see /openapi.json"))
}

// recover turns a defect of ours into a 500 and a log line. Nothing of the
// request is logged but its route. An answer that has begun is broken off: with a
// proper end it would look whole.
func (a *API) recover(w *answering, r *http.Request) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		a.log.Error("handler panicked", "route", r.Pattern, "panic", v, "stack", string(debug.Stack()), "correlation_id", authmin.CorrelationID(r.Context()))
		if w.begun {
			panic(http.ErrAbortHandler)
		}
		writeProblem(w, r, newProblem(http.StatusInternalServerError, "INTERNAL", "a defect; the log has it under this correlation_id"))
	}
}

// who is the caller of a request in the domain's words.
func who(ctx context.Context) orchestrator.Who {
	c := backend.CallerFrom(ctx)
	return orchestrator.Who{Identity: c.Name, Admin: c.Allows(authmin.ScopeAdmin)}
}
