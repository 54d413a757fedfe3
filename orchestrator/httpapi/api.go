package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
)

const (
	// DefaultHeartbeat is the interval of SSE comments while there are no events.
	DefaultHeartbeat = 15 * time.Second
	// DefaultSlowReader is shorter than any heartbeat: a client that has not taken an
	// event by then has stopped reading.
	DefaultSlowReader = 10 * time.Second
	// DefaultMaxStreams bounds the open event streams: each costs about 50 KiB of
	// buffers and stack.
	DefaultMaxStreams = 5000
)

// Options configure the API.
type Options struct {
	Orchestrator *orchestrator.Orchestrator
	Gatherer     prometheus.Gatherer // for /metrics
	Version      string              // "": (devel)
	Log          *slog.Logger
	Streams
}

// Streams are the limits of event streams. Package app embeds them in its options.
type Streams struct {
	Heartbeat  time.Duration // interval of comments; 0: DefaultHeartbeat
	SlowReader time.Duration // how long a reader may stall; 0: DefaultSlowReader
	MaxStreams int           // open at a time; 0: DefaultMaxStreams
	Commit     time.Duration // how long the status of a streamed call waits for the engine's; 0: DefaultCommit
}

// Route is one entry of the contract.
type Route = backend.Route

// API is the contract, ready to serve.
type API struct {
	o       *orchestrator.Orchestrator
	opts    Options
	log     *slog.Logger
	base    *backend.API
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
	if o.Commit == 0 {
		o.Commit = DefaultCommit
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = DefaultMaxStreams
	}
	a := &API{o: o.Orchestrator, opts: o, log: o.Log, streams: orchestrator.NewShares(int64(o.MaxStreams))}
	a.base = backend.NewAPI(backend.APIOptions{
		Title: "llorch orchestrator", Version: o.Version, Log: o.Log, Rewrite: withNames,
		Translate: func(ctx context.Context, err error) huma.StatusError { return a.problem(ctx, err) },
		Problem:   reflect.TypeFor[Problem](),
	})
	a.taskRoutes()
	a.sessionRoutes()
	a.artifactRoutes()
	a.catalogRoutes()
	a.controlRoutes()
	a.nodeRoutes()
	a.metaRoutes()
	a.modelRoutes()
	a.ollamaRoutes()
	a.callRoutes()
	return a
}

// Routes lists every route, without an orchestrator.
func Routes() []Route { return New(Options{}).Routes() }

// Routes lists every route that is served.
func (a *API) Routes() []Route { return a.base.Routes() }

// Handler serves the contract. It expects backend.Authenticator around it.
func (a *API) Handler() http.Handler { return a.base }

// who is the caller of a request in the domain's words.
func who(ctx context.Context) orchestrator.Who {
	c := backend.CallerFrom(ctx)
	return orchestrator.Who{Identity: c.Name, Admin: c.Allows(authmin.ScopeAdmin), Models: c.Models}
}
