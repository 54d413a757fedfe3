package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// Caddy answers an error of its proxy with a status and no body, and SDKs show no more
// than that. These are the answers in its place.
var upstreamProblems = map[int]authmin.Problem{
	http.StatusBadGateway: {
		Status: http.StatusBadGateway, Code: "UPSTREAM_UNREACHABLE", CodeNumber: 50220,
		Title: "The service behind the gateway cannot be reached",
		Hint:  "Try again later. If it persists, give the operator the correlation id.",
	},
	http.StatusServiceUnavailable: {
		Status: http.StatusServiceUnavailable, Code: "UPSTREAM_UNAVAILABLE", CodeNumber: 50320,
		Title: "No service behind the gateway is available",
		Hint:  "Try again later. If it persists, give the operator the correlation id.",
	},
	http.StatusGatewayTimeout: {
		Status: http.StatusGatewayTimeout, Code: "UPSTREAM_TIMEOUT", CodeNumber: 50420,
		Title: "The service behind the gateway did not answer in time",
		Hint:  "Try again later, or ask for less. If it persists, give the operator the correlation id.",
	},
}

// answerError answers an error of the handlers behind the guard, unless the answer has
// begun or the server's error routes are for it. It returns the error, which Caddy logs.
func (g *Guard) answerError(r *http.Request, s *requestState, err error) error {
	if err != nil && !s.started {
		s.closeUnread()
	}
	failed, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok || s.started || g.errors || g.Shadow {
		return err
	}
	if problem, ok := upstreamProblems[failed.StatusCode]; ok {
		authmin.WriteProblemAs(&s.response, r.WithContext(authmin.WithCorrelationID(r.Context(), s.id)), problem, s.dialect)
	}
	return err
}
