package httpapi

import (
	"context"
	"net/http"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

type sessionID struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) sessionRoutes() {
	route(a, authmin.ScopeInfer, http.MethodGet, "/v2/sessions/{id}", http.StatusOK, "What is remembered of a session", a.session)
	route(a, authmin.ScopeInfer, http.MethodDelete, "/v2/sessions/{id}", http.StatusNoContent, "Forget a session", a.removeSession)
}

func (a *API) session(ctx context.Context, in *sessionID) (*body[orchestrator.Session], error) {
	s, err := a.o.Session(who(ctx), in.ID)
	return &body[orchestrator.Session]{s}, err
}

func (a *API) removeSession(ctx context.Context, in *sessionID) (*none, error) {
	return nil, a.o.RemoveSession(ctx, who(ctx), in.ID)
}
