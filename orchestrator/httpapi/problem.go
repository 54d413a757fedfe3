package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

// Problem is an error answer (RFC 9457) with the members of auth.md and, for a
// full queue, of api.md.
type Problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Code          string       `json:"code" doc:"For programs"`
	CodeNumber    int          `json:"code_number"`
	Hint          string       `json:"hint" doc:"For people: what to do"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	PolicyLabel   string       `json:"policy_label,omitempty" doc:"The admission policy that refused"`
	Retriable     *bool        `json:"retriable,omitempty"`
	RetryAfterMS  int64        `json:"retry_after_ms,omitempty"`
	Errors        []FieldError `json:"errors,omitempty" doc:"Which fields are wrong"`
	OpenAI        *openaiError `json:"error,omitempty" doc:"The same in the OpenAI shape, on /v1 routes"`
	headers       http.Header
}

// FieldError is one wrong field and its place. The value itself is not
// repeated: it may be a secret in the wrong place.
type FieldError struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error gives the code and the hint.
func (p *Problem) Error() string { return p.Code + ": " + p.Hint }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, hint string) *Problem {
	return &Problem{
		Type: "urn:llorch:problem:" + strings.ToLower(code), Title: http.StatusText(status),
		Status: status, Code: code, CodeNumber: status * 100, Hint: hint, headers: http.Header{},
	}
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
}

// problem translates an error. What is not for the caller is logged, and the
// caller gets a 503 and the correlation id.
func (a *API) problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e, ok := orchestrator.AsError(err)
	if !ok {
		if ctx.Err() == nil { // else the caller has left, and nobody reads the answer
			a.log.Error("request failed", "error", err, "correlation_id", authmin.CorrelationID(ctx))
		}
		return newProblem(http.StatusServiceUnavailable, "UNAVAILABLE", "try again; the log has the reason under this correlation_id")
	}
	p := newProblem(statuses[e.Kind], e.Code, e.Hint)
	if e.Kind == orchestrator.Busy {
		retriable, ms := true, max(e.RetryAfter.Milliseconds(), 1000)
		p.Retriable, p.RetryAfterMS, p.PolicyLabel = &retriable, ms, e.Policy
		p.headers.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(float64(ms)/1000)), 10))
		p.headers.Set("X-Backoff-Ms", strconv.FormatInt(ms, 10))
	} else if e.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.RetryAfter.Seconds())), 10))
	}
	return p
}

// maxFieldErrors is enough to mend a request by. Without it an answer would be many
// times as large as a request with a hundred thousand unknown fields.
const maxFieldErrors = 32

// codes names the errors that huma finds by itself.
var codes = map[int][2]string{
	http.StatusBadRequest:            {"INVALID_JSON", "send one JSON object as application/json"},
	http.StatusNotAcceptable:         {"NOT_ACCEPTABLE", "accept application/json"},
	http.StatusRequestTimeout:        {"BODY_TIMEOUT", "send the body within 5 seconds"},
	http.StatusRequestEntityTooLarge: {"BODY_TOO_LARGE", "a body may have 1 MiB"},
	http.StatusUnsupportedMediaType:  {"UNSUPPORTED_MEDIA_TYPE", "send application/json"},
	http.StatusUnprocessableEntity:   {"INVALID_FIELD", "the member errors names each place"},
}

// transformProblem gives every error answer our shape and its correlation id.
func transformProblem(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *huma.ErrorModel:
		named, ok := codes[e.Status]
		if !ok {
			named = [2]string{"INTERNAL", http.StatusText(e.Status)}
		}
		p := newProblem(e.Status, named[0], named[1])
		for _, d := range e.Errors {
			if d != nil && e.Status == http.StatusUnprocessableEntity && len(p.Errors) < maxFieldErrors {
				p.Errors = append(p.Errors, FieldError{d.Location, d.Message})
			}
		}
		return finished(ctx.Context(), ctx.Operation().Path, p), nil
	case *Problem:
		return finished(ctx.Context(), ctx.Operation().Path, e), nil
	}
	return v, nil
}

func finished(ctx context.Context, path string, p *Problem) *Problem {
	p.CorrelationID = authmin.CorrelationID(ctx)
	if strings.HasPrefix(path, "/v1/") {
		p.OpenAI = p.openai()
	}
	return p
}

// openai is the problem as OpenAI's clients show it: they know one message and
// one param, and nothing of a hint that speaks of other members.
func (p *Problem) openai() *openaiError {
	e := &openaiError{Message: p.Hint, Type: openaiType(p.Status), Code: p.Code}
	if len(p.Errors) > 0 {
		first := p.Errors[0]
		e.Message = first.Message
		if param, ok := strings.CutPrefix(first.Location, "body."); ok {
			e.Param, e.Message = &param, param+": "+first.Message
		}
	}
	return e
}

// writeProblem is for what never reaches huma.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	extra := map[string]any{}
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		extra["error"] = p.openai()
	}
	authmin.WriteProblem(w, r, authmin.Problem{Status: p.Status, Code: p.Code, CodeNumber: p.CodeNumber, Title: p.Title, Hint: p.Hint, Extra: extra})
}

func (a *API) problemResponse() *huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	return &huma.Response{
		Description: "Any error", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
}
