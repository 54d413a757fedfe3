package poolmanager

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/staging"
)

// retryAfterSeconds is how long a caller without a slot should wait: the
// shortest that the header can say.
const retryAfterSeconds = 1

// answers maps every error of the domain to what the client sees, on one page.
var answers = []struct {
	err    error
	status int
	code   string
	hint   string // "": the error's text
}{
	{errNoPool, 404, "POOL_NOT_FOUND", "GET /pools lists the pools; preload makes one."},
	{errNoTemplate, 404, "TEMPLATE_NOT_FOUND", "Name a template of the pool manager's configuration."},
	{errPoolID, 422, "INVALID_POOL_ID", errPoolID.Error()},
	{ErrModelRef, 422, "INVALID_MODEL_REF", ""},
	{errTask, 422, "INVALID_TASK", ""},
	{errWorkload, 422, "WORKLOAD_NOT_SUPPORTED", "The pool's status says which workloads it takes; its template declares them."},
	{errProtocol, 409, "PROTOCOL_NOT_SERVED", "The pool's status says which protocols it serves; its template declares them."},
	{errOperation, 404, "NOT_FOUND", "The call's last segment is an operation of nodeapi, such as chat or messages-count-tokens."},
	{errMember, 400, "MEMBER_NOT_ALLOWED", ""},
	{errBody, 400, "INVALID_JSON", ""},
	{errBodyGone, 400, "INVALID_JSON", errBodyGone.Error()},
	{errBodySize, 413, "BODY_TOO_LARGE", ""},
	{errBodyTime, 408, "BODY_TIMEOUT", "The body of a call did not come on in time; send it again."},
	{errNotReady, 409, "POOL_NOT_READY", "Preload the pool, or wait until its status says ready."},
	{errBusy, 409, "POOL_BUSY", "Stop the pool first, or reload it with another model."},
	{errModel, 409, "MODEL_NOT_LOADED", "Ask for a model that the pool holds."},
	{errRollback, 409, "RELOAD_ROLLED_BACK", "The pool's status says why the new model did not start."},
	{errFull, 409, "TOO_MANY_POOLS", errFull.Error()},
	{staging.ErrStaging, 409, "MODEL_NOT_STAGED", ""},
	{errHanded, 409, "POOL_HANDED_OFF", "Ask the program that wrote the handoff file, or remove that file."},
	{errNoMemory, 429, "NO_MEMORY", "Busy engines hold the memory that this one needs; try again later."},
	{errReloading, 503, "RELOAD_UNDER_WAY", "The reload goes on; the pool's status shows its result."},
	{errNoSlot, 429, "NO_SLOT", "Try again later."},
}

// problemOf translates an error. One that is not in the table is internal: the client
// gets only the correlation id.
func problemOf(err error) *backend.Problem {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			p := backend.NewProblem(a.status, a.code, cmp.Or(a.hint, err.Error()))
			p.Title = a.err.Error()
			if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
				p.Header.Set("Retry-After", strconv.Itoa(retryAfterSeconds))
			}
			return p
		}
	}
	return backend.Internal()
}

// refuse logs an internal error, and gives the problem for the client.
func (a *api) refuse(ctx context.Context, err error) *backend.Problem {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		a.env.log.ErrorContext(ctx, "request failed", "error", err, "correlation_id", authmin.CorrelationID(ctx))
	}
	return p
}
