package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

type modelInput struct {
	ID string `path:"id" maxLength:"128"`
}

type modelsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"200"`
	Cursor string `query:"cursor" maxLength:"128"`
}

type stateInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		State      orchestrator.ModelState `json:"state" enum:"Active,Retired"`
		DeadlineMS int64                   `json:"deadline_ms,omitempty" minimum:"0" maximum:"86400000" doc:"Until when a retired model still takes tasks"`
	}
}

func (a *API) catalogRoutes() {
	const models = "/v2/catalog/models"
	route(a, authmin.ScopeCatalog, http.MethodPost, models, http.StatusCreated, "Enter a model into the catalog", a.addModel)
	route(a, authmin.ScopeCatalog, http.MethodGet, models, http.StatusOK, "List the catalog", a.catalog)
	route(a, authmin.ScopeCatalog, http.MethodGet, models+"/{id}", http.StatusOK, "A model of the catalog", a.model)
	route(a, authmin.ScopeCatalog, http.MethodDelete, models+"/{id}", http.StatusNoContent, "Take a model out of the catalog", a.removeModel)
	route(a, authmin.ScopeCatalog, http.MethodPost, models+"/{id}/verify", http.StatusAccepted, "Read the model and compare its digest", a.verifyModel)
	route(a, authmin.ScopeCatalog, http.MethodPost, models+"/{id}/state", http.StatusAccepted, "Retire a model, or bring it back", a.modelState)
	route(a, authmin.ScopeCatalog, http.MethodGet, "/v2/catalog/availability", http.StatusOK, "Which node and pool holds which model", a.availability)
}

func (a *API) addModel(ctx context.Context, in *struct{ Body orchestrator.ModelRequest }) (*body[orchestrator.Model], error) {
	m, err := a.o.AddModel(ctx, who(ctx), in.Body)
	return &body[orchestrator.Model]{m}, err
}

func (a *API) catalog(_ context.Context, in *modelsInput) (*body[orchestrator.ModelPage], error) {
	return &body[orchestrator.ModelPage]{a.o.Catalog(in.Limit, in.Cursor)}, nil
}

func (a *API) model(_ context.Context, in *modelInput) (*body[orchestrator.Model], error) {
	m, err := a.o.CatalogModel(in.ID)
	return &body[orchestrator.Model]{m}, err
}

func (a *API) removeModel(ctx context.Context, in *modelInput) (*none, error) {
	return nil, a.o.RemoveModel(ctx, in.ID)
}

func (a *API) verifyModel(ctx context.Context, in *modelInput) (*body[orchestrator.Model], error) {
	m, err := a.o.VerifyModel(ctx, in.ID)
	return &body[orchestrator.Model]{m}, err
}

func (a *API) modelState(ctx context.Context, in *stateInput) (*body[orchestrator.Model], error) {
	m, err := a.o.SetModelState(ctx, in.ID, in.Body.State, time.Duration(in.Body.DeadlineMS)*time.Millisecond)
	return &body[orchestrator.Model]{m}, err
}

func (a *API) availability(context.Context, *none) (*body[orchestrator.Availability], error) {
	return &body[orchestrator.Availability]{a.o.Availability()}, nil
}
