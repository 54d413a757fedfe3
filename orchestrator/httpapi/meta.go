package httpapi

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
)

// Health is the answer of GET /health: its status alone, since it needs no credential.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// Version is the answer of GET /v2/meta/version.
type Version struct {
	Service    string `json:"service"`
	Version    string `json:"version"`
	APIVersion string `json:"api_version"`
}

func (a *API) metaRoutes() {
	route(a, backend.Public, http.MethodGet, "/health", http.StatusOK, "Whether the process lives", a.health)
	a.base.AddReady(a.o.NotReady)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v2/meta/version", http.StatusOK, "Which version it is", a.version)
	for _, path := range []string{"/v2/meta/capabilities", "/v1/capabilities"} {
		route(a, authmin.ScopeInfer, http.MethodGet, path, http.StatusOK, "What it can do now", a.capabilities)
	}
	route(a, authmin.ScopeMetrics, http.MethodGet, "/v2/meta/replica", http.StatusOK, "How this replica and its cluster are", a.replica)
	metrics := promhttp.HandlerFor(a.opts.Gatherer, promhttp.HandlerOpts{})
	for _, path := range []string{"/metrics", "/orchestrator/metrics"} {
		a.base.AddRaw(authmin.ScopeMetrics, path, metrics)
	}
	for _, path := range []string{"/openapi.json", "/orchestrator/openapi.json"} {
		a.base.AddRaw(authmin.ScopeAdmin, path, http.HandlerFunc(a.base.Document))
	}
}

func (a *API) health(context.Context, *none) (*body[Health], error) {
	return &body[Health]{Health{Status: "ok"}}, nil
}

func (a *API) version(context.Context, *none) (*body[Version], error) {
	return &body[Version]{Version{Service: "orchestrator", Version: a.opts.Version, APIVersion: "v2"}}, nil
}

func (a *API) capabilities(ctx context.Context, _ *none) (*body[orchestrator.Abilities], error) {
	return &body[orchestrator.Abilities]{a.o.Abilities(who(ctx).Models)}, nil
}

func (a *API) replica(ctx context.Context, _ *none) (*body[orchestrator.Replica], error) {
	r, err := a.o.Replica(ctx)
	return &body[orchestrator.Replica]{r}, err
}
