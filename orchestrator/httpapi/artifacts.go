package httpapi

import (
	"context"
	"net/http"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

// ArtifactKept is the answer of POST /v2/artifacts.
type ArtifactKept struct {
	ID   string `json:"id" doc:"SHA-256 of the content as canonical JSON"`
	Kind string `json:"kind"`
}

func (a *API) artifactRoutes() {
	route(a, authmin.ScopeInfer, http.MethodPost, "/v2/artifacts", http.StatusCreated, "Keep an artifact; an identity's oldest ones make room beyond 10,000 or 64 MiB", a.keepArtifact)
	route(a, authmin.ScopeInfer, http.MethodGet, "/v2/artifacts/{id}", http.StatusOK, "An artifact", a.artifact)
}

func (a *API) keepArtifact(ctx context.Context, in *struct{ Body orchestrator.ArtifactRequest }) (*body[ArtifactKept], error) {
	kept, err := a.o.KeepArtifact(ctx, who(ctx), in.Body)
	return &body[ArtifactKept]{ArtifactKept{kept.ID, kept.Kind}}, err
}

func (a *API) artifact(ctx context.Context, in *taskID) (*body[orchestrator.Artifact], error) {
	kept, err := a.o.Artifact(ctx, who(ctx), in.ID)
	return &body[orchestrator.Artifact]{kept}, err
}
