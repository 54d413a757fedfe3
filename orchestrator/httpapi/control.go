package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

type poolInput struct {
	ID string `path:"id" maxLength:"324" doc:"node_id/pool_id, or pool_id where one node has it, else 409 AMBIGUOUS_POOL"`
}

type drainInput struct {
	ID   string `path:"id" maxLength:"324" doc:"node_id/pool_id, or pool_id where one node has it, else 409 AMBIGUOUS_POOL"`
	Body struct {
		DeadlineMS int64 `json:"deadline_ms" minimum:"0" maximum:"86400000" doc:"How long running tasks may still take"`
	}
}

type reloadInput struct {
	ID   string `path:"id" maxLength:"324" doc:"node_id/pool_id, or pool_id where one node has it, else 409 AMBIGUOUS_POOL"`
	Body struct {
		NewModelRef string `json:"new_model_ref" minLength:"1" maxLength:"256"`
	}
}

type workerInput struct {
	Body struct {
		PoolID    string `json:"pool_id,omitempty" maxLength:"324" doc:"node_id/pool_id, or pool_id where one node has it; the only pool, if there is only one"`
		ReplicaID string `json:"replica_id,omitempty" maxLength:"64" doc:"Made when absent"`
	}
}

func (a *API) controlRoutes() {
	for _, pools := range []string{"/v2/pools/{id}", "/control/pools/{id}"} {
		route(a, authmin.ScopeAdmin, http.MethodPost, pools+"/drain", http.StatusAccepted, "Let a pool's tasks end, and give it no more", a.drain)
		route(a, authmin.ScopeAdmin, http.MethodPost, pools+"/reload", http.StatusAccepted, "Replace a pool's model; 409 when the old one is back", a.reload)
	}
	route(a, authmin.ScopeAdmin, http.MethodPost, "/v2/pools/{id}/purge", http.StatusAccepted, "End a pool's engine, tasks and caches", a.purge)
	route(a, authmin.ScopeNodes, http.MethodPost, "/v2/workers/register", http.StatusOK, "Note an external replica of a pool", a.registerWorker)
}

func (a *API) drain(ctx context.Context, in *drainInput) (*body[orchestrator.Commanded], error) {
	return a.command(ctx, in.ID, orchestrator.PoolCommand{
		Verb: orchestrator.Drain, Deadline: time.Duration(in.Body.DeadlineMS) * time.Millisecond,
	})
}

func (a *API) reload(ctx context.Context, in *reloadInput) (*body[orchestrator.Commanded], error) {
	return a.command(ctx, in.ID, orchestrator.PoolCommand{Verb: orchestrator.Reload, ModelRef: in.Body.NewModelRef})
}

func (a *API) purge(ctx context.Context, in *poolInput) (*body[orchestrator.Commanded], error) {
	return a.command(ctx, in.ID, orchestrator.PoolCommand{Verb: orchestrator.Purge})
}

func (a *API) command(ctx context.Context, id string, c orchestrator.PoolCommand) (*body[orchestrator.Commanded], error) {
	done, err := a.o.Command(ctx, id, c)
	return &body[orchestrator.Commanded]{done}, err
}

func (a *API) registerWorker(ctx context.Context, in *workerInput) (*body[orchestrator.Worker], error) {
	w, err := a.o.RegisterWorker(ctx, who(ctx), in.Body.PoolID, in.Body.ReplicaID)
	return &body[orchestrator.Worker]{w}, err
}
