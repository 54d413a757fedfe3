package poolmanager

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
)

// retryAfterSeconds is what a caller without a slot is told to wait: the
// shortest that the header can say.
const retryAfterSeconds = 1

// answers maps every error of the domain to what the client sees, on one page.
var answers = []struct {
	err     error
	problem authmin.Problem
}{
	{errNoPool, authmin.Problem{Status: 404, Code: "POOL_NOT_FOUND", CodeNumber: 40401, Hint: "GET /pools lists the pools; preload makes one."}},
	{errNoTemplate, authmin.Problem{Status: 404, Code: "TEMPLATE_NOT_FOUND", CodeNumber: 40402, Hint: "Name a template of the pool manager's configuration."}},
	{errPoolID, authmin.Problem{Status: 422, Code: "INVALID_POOL_ID", CodeNumber: 42202, Hint: errPoolID.Error()}},
	{ErrModelRef, authmin.Problem{Status: 422, Code: "INVALID_MODEL_REF", CodeNumber: 42203}},
	{errTask, authmin.Problem{Status: 422, Code: "INVALID_TASK", CodeNumber: 42204}},
	{errWorkload, authmin.Problem{Status: 422, Code: "WORKLOAD_NOT_SUPPORTED", CodeNumber: 42205, Hint: "The pool's status says which workloads it takes; its template declares them."}},
	{errNotReady, authmin.Problem{Status: 409, Code: "POOL_NOT_READY", CodeNumber: 40901, Hint: "Preload the pool, or wait until its status says ready."}},
	{errBusy, authmin.Problem{Status: 409, Code: "POOL_BUSY", CodeNumber: 40902, Hint: "Stop the pool first, or reload it with another model."}},
	{errModel, authmin.Problem{Status: 409, Code: "MODEL_NOT_LOADED", CodeNumber: 40903, Hint: "Ask for a model that the pool holds."}},
	{errRollback, authmin.Problem{Status: 409, Code: "RELOAD_ROLLED_BACK", CodeNumber: 40904, Hint: "The pool's status says why the new model did not start."}},
	{errFull, authmin.Problem{Status: 409, Code: "TOO_MANY_POOLS", CodeNumber: 40905, Hint: errFull.Error()}},
	{errStaging, authmin.Problem{Status: 409, Code: "MODEL_NOT_STAGED", CodeNumber: 40907}},
	{errHanded, authmin.Problem{Status: 409, Code: "POOL_HANDED_OFF", CodeNumber: 40906, Hint: "Ask the program that wrote the handoff file, or remove that file."}},
	{errNoRoom, authmin.Problem{Status: 429, Code: "NO_MEMORY", CodeNumber: 42902, Hint: "Other engines work in the memory that this one needs; try again later."}},
	{errReloading, authmin.Problem{Status: 503, Code: "RELOAD_UNDER_WAY", CodeNumber: 50301, Hint: "The reload goes on; the pool's status tells how it ends."}},
	{errNoSlot, authmin.Problem{Status: 429, Code: "NO_SLOT", CodeNumber: 42901, Hint: "Try again later."}},
}

// problemOf translates an error. What is not in the table is ours: the client
// learns nothing but the correlation id.
func problemOf(err error) authmin.Problem {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			p := a.problem
			p.Title = a.err.Error()
			if p.Hint == "" {
				p.Hint = err.Error()
			}
			return p
		}
	}
	return authmin.Problem{Status: 500, Code: "INTERNAL", CodeNumber: 50001, Title: "something went wrong", Hint: "The log has the details under the correlation id."}
}

// codes name the refusals that come from huma itself.
var codes = map[int]authmin.Problem{
	400: {Code: "INVALID_JSON", CodeNumber: 40002, Title: "the body cannot be read", Hint: "Send one JSON object as application/json."},
	406: {Code: "NOT_ACCEPTABLE", CodeNumber: 40601, Title: "no such format", Hint: "Accept application/json."},
	408: {Code: "BODY_TIMEOUT", CodeNumber: 40801, Title: "the body came too slowly", Hint: "Send the body within 5 seconds."},
	413: {Code: "BODY_TOO_LARGE", CodeNumber: 41301, Title: "the body is over 1 MiB", Hint: "Send a smaller body."},
	415: {Code: "UNSUPPORTED_MEDIA_TYPE", CodeNumber: 41501, Title: "the body is not JSON", Hint: "Send application/json."},
	422: {Code: "INVALID_FIELD", CodeNumber: 42201, Title: "the request is not valid", Hint: "The member errors names each place."},
}

// refusal is a domain error on its way through huma.
type refusal struct{ problem authmin.Problem }

// Error says the title.
func (r *refusal) Error() string { return r.problem.Title }

// GetStatus makes huma answer with it.
func (r *refusal) GetStatus() int { return r.problem.Status }

// ContentType is RFC 9457's.
func (r *refusal) ContentType(string) string { return "application/problem+json" }

// refuse logs what only we may see, and makes what the client may.
func (a *api) refuse(ctx context.Context, err error) error {
	p := problemOf(err)
	if p.Status >= 500 {
		a.env.log.ErrorContext(ctx, "request failed", "error", err, "correlation_id", authmin.CorrelationID(ctx))
	}
	return &refusal{p}
}

// problemBody gives huma's own errors and ours one shape, that of
// authmin.WriteProblem. The values that the client sent, which huma repeats, are
// left out: they may hold a credential.
func problemBody(ctx huma.Context, _ string, v any) (any, error) {
	var p authmin.Problem
	var places []map[string]string
	switch e := v.(type) {
	case *refusal:
		p = e.problem
	case *huma.ErrorModel:
		known, ok := codes[e.Status]
		if p = known; !ok {
			p = problemOf(nil)
		}
		p.Status = e.Status
		for _, detail := range e.Errors {
			if e.Status < 500 {
				places = append(places, map[string]string{"location": detail.Location, "message": detail.Message})
			}
		}
	default:
		return v, nil
	}
	ctx.SetHeader("Cache-Control", "no-store")
	ctx.SetHeader("X-Content-Type-Options", "nosniff")
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		ctx.SetHeader("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	body := map[string]any{
		"type": "urn:llorch:problem:" + strings.ToLower(p.Code), "title": p.Title, "status": p.Status,
		"code": p.Code, "code_number": p.CodeNumber, "hint": p.Hint,
		"correlation_id": authmin.CorrelationID(ctx.Context()),
	}
	if len(places) > 0 {
		body["errors"] = places
	}
	return body, nil
}
