package poolmanager

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Route is one route of the API, and the scopes that may use it.
type Route = backend.Route

// api is the HTTP face of a manager.
type api struct {
	env   *environment
	pools *manager
	*backend.API
}

// notReady returns why no task is taken now, or "". Engines are not waited for: the
// orchestrator knows which pools are ready.
func (a *api) notReady() backend.NotReady {
	if a.env.stopping.Load() {
		return backend.Draining
	}
	return ""
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

// maxLogLines bounds the answer of GET logs: the whole ring.
const maxLogLines = ringLines

type none struct{}

type onPool struct {
	ID string `path:"id" doc:"The pool's id"`
}

type answer[T any] struct {
	Status int
	Body   T
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

type preloadInput struct {
	ID   string `path:"id" doc:"The pool's id"`
	Body nodeapi.PreloadRequest
}

type drainInput struct {
	ID   string `path:"id" doc:"The pool's id"`
	Body nodeapi.DrainRequest
}

type reloadInput struct {
	ID   string `path:"id" doc:"The pool's id"`
	Body nodeapi.ReloadRequest
}

type logsInput struct {
	ID    string `path:"id" doc:"The pool's id"`
	Lines int    `query:"lines" minimum:"1" maximum:"1000" default:"100" doc:"How many of the newest lines"`
}

// define is the whole API.
func (a *api) define() {
	op := func(method, path, id, summary string) huma.Operation {
		return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary}
	}
	add(a, op("GET", "/health", "health", "Whether the pool manager runs"), backend.Public, a.health)
	a.AddReady(a.notReady)
	add(a, op("GET", "/pools", "list-pools", "All pools"), authmin.ScopeDispatch, a.listPools)
	add(a, op("GET", "/pools/{id}/status", "pool-status", "One pool"), authmin.ScopeDispatch, a.poolStatus)
	add(a, op("POST", "/pools/{id}/preload", "preload-pool", "Start an engine from a template"), authmin.ScopeDispatch, a.preload)
	add(a, op("POST", "/pools/{id}/dispatch", "dispatch", "Run one task and stream its tokens"), authmin.ScopeDispatch, a.dispatch)
	a.addCall()
	add(a, op("POST", "/pools/{id}/drain", "drain-pool", "Let running tasks end, then stop"), authmin.ScopeDispatch, a.drain)
	add(a, op("POST", "/pools/{id}/reload", "reload-pool", "Replace the model"), authmin.ScopeDispatch, a.reload)
	add(a, op("POST", "/pools/{id}/stop", "stop-pool", "Stop the engine and its tasks"), authmin.ScopeDispatch, a.stop)
	add(a, op("GET", "/pools/{id}/logs", "pool-logs", "The engine's last lines"), authmin.ScopeAdmin, a.logs)
	for _, path := range []string{"/metrics", "/poolmanager/metrics"} {
		a.AddRaw(authmin.ScopeMetrics, path, http.HandlerFunc(a.metrics))
	}
	for _, path := range []string{"/openapi.json", "/poolmanager/openapi.json"} {
		a.AddRaw(authmin.ScopeAdmin, path, http.HandlerFunc(a.Document))
	}
}

func (a *api) health(context.Context, *none) (*answer[health], error) {
	return &answer[health]{200, health{"ok", Version}}, nil
}

func (a *api) listPools(context.Context, *none) (*answer[nodeapi.PoolList], error) {
	list := nodeapi.PoolList{Pools: []nodeapi.Status{}}
	for _, p := range a.pools.list() {
		list.Pools = append(list.Pools, p.status())
	}
	list.Count = len(list.Pools)
	return &answer[nodeapi.PoolList]{200, list}, nil
}

func (a *api) poolStatus(ctx context.Context, in *onPool) (*answer[nodeapi.Status], error) {
	p, err := a.pools.find(in.ID)
	if err != nil {
		return nil, err
	}
	status := p.status()
	status.Listed = p.listing()
	return &answer[nodeapi.Status]{200, status}, nil
}

func (a *api) preload(ctx context.Context, in *preloadInput) (*answer[nodeapi.PoolState], error) {
	p, err := a.pools.preload(in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.Body.WaitMS)*time.Millisecond)
	defer cancel()
	if p.await(ctx, StateReady, StateFailed, StateStopped) == StateReady {
		return stateOf(200, p), nil
	}
	return stateOf(202, p), nil
}

func (a *api) drain(ctx context.Context, in *drainInput) (*answer[nodeapi.PoolState], error) {
	p, err := a.pools.drain(ctx, in.ID, time.Duration(in.Body.DeadlineMS)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return stateOf(202, p), nil
}

func (a *api) reload(ctx context.Context, in *reloadInput) (*answer[nodeapi.PoolState], error) {
	p, err := a.pools.reload(ctx, in.ID, in.Body.ModelRef)
	if err != nil {
		return nil, err
	}
	return stateOf(202, p), nil
}

func (a *api) stop(ctx context.Context, in *onPool) (*answer[nodeapi.PoolState], error) {
	p, err := a.pools.stop(in.ID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	p.await(ctx, StateStopping, StateStopped, StateFailed) // until then the status would be ready
	return stateOf(202, p), nil
}

func (a *api) logs(ctx context.Context, in *logsInput) (*answer[nodeapi.LogLines], error) {
	p, err := a.pools.find(in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[nodeapi.LogLines]{200, nodeapi.LogLines{PoolID: in.ID, Lines: p.logs.last(min(in.Lines, maxLogLines))}}, nil
}

func stateOf(status int, p *pool) *answer[nodeapi.PoolState] {
	s := p.status()
	return &answer[nodeapi.PoolState]{status, nodeapi.PoolState{PoolID: p.id, State: s.State, Progress: s.Progress}}
}

func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	promhttp.HandlerFor(a.env.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}
