package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
)

// Problem is an error answer with the members that only a full queue has.
type Problem struct {
	backend.Problem
	PolicyLabel  string `json:"policy_label,omitempty" doc:"The admission policy that refused"`
	Retriable    *bool  `json:"retriable,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
	EngineCode   string `json:"engine_code,omitempty" doc:"The engine's own code for what is wrong"`
	EngineStatus int    `json:"engine_status,omitempty" doc:"In a stream that had begun: the status that the answer would have had"`
}

// sdkCodes are the words by which OpenAI's API and programs that use it know a problem:
// they compare the code of the member error with them. The member code keeps our own.
var sdkCodes = map[string]string{"MODEL_NOT_AVAILABLE": "model_not_found"}

func newProblem(status int, code, hint string) *Problem {
	p := &Problem{Problem: *backend.NewProblem(status, code, hint)}
	p.SDKCode = sdkCodes[code]
	return p
}

// statuses is the one table from kinds of error to status codes.
var statuses = map[orchestrator.Kind]int{
	orchestrator.Invalid:     http.StatusUnprocessableEntity,
	orchestrator.NotFound:    http.StatusNotFound,
	orchestrator.Forbidden:   http.StatusForbidden,
	orchestrator.Conflict:    http.StatusConflict,
	orchestrator.TooLarge:    http.StatusRequestEntityTooLarge,
	orchestrator.Busy:        http.StatusTooManyRequests,
	orchestrator.Unavailable: http.StatusServiceUnavailable,
	orchestrator.Malformed:   http.StatusBadRequest,
}

// problem translates an error. Any error that is not an answer for the
// caller is logged, and the caller gets a 503 and the correlation id.
func (a *API) problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e, ok := orchestrator.AsError(err)
	if !ok {
		if ctx.Err() == nil { // else the caller has left
			a.log.Error("request failed", "error", err, "correlation_id", authmin.CorrelationID(ctx))
		}
		return newProblem(http.StatusServiceUnavailable, "UNAVAILABLE", "try again; the log has the reason under this correlation_id")
	}
	if e.Models != nil {
		return &Problem{Problem: *backend.ModelNotAllowed(e.Models)}
	}
	p := newProblem(statuses[e.Kind], e.Code, e.Hint)
	p.Param = e.Member
	if e.Kind == orchestrator.Conflict { // which the clients of OpenAI and Anthropic would repeat
		p.Header.Set(authmin.HeaderShouldRetry, "false")
	}
	if e.Kind == orchestrator.Busy {
		retriable, ms := true, max(e.RetryAfter.Milliseconds(), 1000)
		p.Retriable, p.RetryAfterMS, p.PolicyLabel = &retriable, ms, e.Policy
		p.Header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(float64(ms)/1000)), 10))
		p.Header.Set("X-Backoff-Ms", strconv.FormatInt(ms, 10))
	} else if e.RetryAfter > 0 {
		p.Header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.RetryAfter.Seconds())), 10))
	}
	return p
}
