package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

type registerInput struct{ Body nodeapi.RegisterRequest }

type heartbeatInput struct {
	ID     string `path:"id" maxLength:"256"`
	Prefer string `header:"Prefer" maxLength:"64" doc:"wait=N (RFC 7240): the answer is held back for N seconds, 9 at most, so that the node notices a lost orchestrator at once"`
	Body   nodeapi.HeartbeatRequest
}

// wait is how long the answer is to be held back; other preferences are ignored.
func (in *heartbeatInput) wait() time.Duration {
	seconds, ok := strings.CutPrefix(strings.TrimSpace(in.Prefer), "wait=")
	n, err := strconv.ParseUint(seconds, 10, 16)
	if !ok || err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

type nodeInput struct {
	ID string `path:"id" maxLength:"256"`
}

// NodeList is the answer of GET /v2/nodes.
type NodeList struct {
	Nodes []orchestrator.Node `json:"nodes" nullable:"false"`
	Count int                 `json:"count"`
}

// PoolHealth is the answer of GET /v2/pools/{id}/health.
type PoolHealth = orchestrator.PoolHealth

func (a *API) nodeRoutes() {
	route(a, authmin.ScopeNodes, http.MethodPost, "/v2/nodes/register", http.StatusOK, "Register a node", a.register)
	route(a, authmin.ScopeNodes, http.MethodPost, "/v2/nodes/{id}/heartbeat", http.StatusOK, "Say that a node is alive, and how its pools are", a.heartbeat)
	route(a, authmin.ScopeNodes, http.MethodDelete, "/v2/nodes/{id}", http.StatusNoContent, "Take a node out", a.deregister)
	route(a, authmin.ScopeAdmin, http.MethodGet, "/v2/nodes", http.StatusOK, "List the nodes", a.listNodes)
	for _, path := range []string{"/v2/pools/{id}/health", "/control/pools/{id}/health"} {
		route(a, authmin.ScopeAdmin, http.MethodGet, path, http.StatusOK, "How a pool is", a.poolHealth)
	}
}

func (a *API) register(ctx context.Context, in *registerInput) (*body[nodeapi.RegisterResponse], error) {
	answer, err := a.o.RegisterNode(ctx, who(ctx), in.Body)
	return &body[nodeapi.RegisterResponse]{answer}, err
}

func (a *API) heartbeat(ctx context.Context, in *heartbeatInput) (*body[nodeapi.HeartbeatResponse], error) {
	answer, err := a.o.Heartbeat(who(ctx), in.ID, in.Body)
	if wait := in.wait(); err == nil && wait > 0 {
		answer = a.o.HoldHeartbeat(ctx, in.ID, wait)
	}
	return &body[nodeapi.HeartbeatResponse]{answer}, err
}

func (a *API) deregister(ctx context.Context, in *nodeInput) (*none, error) {
	return nil, a.o.RemoveNode(ctx, who(ctx), in.ID)
}

func (a *API) listNodes(context.Context, *none) (*body[NodeList], error) {
	nodes := a.o.Nodes()
	return &body[NodeList]{NodeList{Nodes: nodes, Count: len(nodes)}}, nil
}

func (a *API) poolHealth(_ context.Context, in *poolInput) (*body[PoolHealth], error) {
	health, err := a.o.PoolHealth(in.ID)
	return &body[PoolHealth]{health}, err
}
