package backend

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Problem is an error answer of RFC 9457 with a code, a number
// and a hint. A service embeds it to add members of its own.
type Problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Code          string       `json:"code" doc:"For programs"`
	CodeNumber    int          `json:"code_number"`
	Hint          string       `json:"hint" doc:"For people: what to do"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	Errors        []FieldError `json:"errors,omitempty" doc:"Which fields are wrong"`
	AllowedModels []string     `json:"allowed_models,omitzero" doc:"Of MODEL_NOT_ALLOWED: the models that the caller may use"`
	SDK           *sdkError    `json:"error,omitempty" doc:"The same for SDKs of OpenAI; those of other protocols have their own shape on their routes"`
	Header        http.Header  `json:"-"` // of the answer, such as Retry-After
	SDKCode       string       `json:"-"` // what SDKs show as the code; "": Code
	Param         string       `json:"-"` // the member of the request that is wrong, for SDKs
}

// FieldError is one wrong field and its place. The value itself is not
// repeated: it may be a secret in the wrong place.
type FieldError struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// maxFieldErrors is enough to correct a request. Without it an answer would be many
// times as large as a request with a hundred thousand unknown fields.
const maxFieldErrors = 32

// NewProblem returns a problem with the number of its code. The hint says what the
// caller can do, and holds nothing that the caller sent.
func NewProblem(status int, code, hint string) *Problem {
	return &Problem{
		Type: "urn:llorch:problem:" + strings.ToLower(code), Title: http.StatusText(status),
		Status: status, Code: code, CodeNumber: CodeNumber(code, status), Hint: hint, Header: http.Header{},
	}
}

// Error gives the code and the hint.
func (p *Problem) Error() string { return p.Code + ": " + p.Hint }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header { return p.Header }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) problem() *Problem { return p }

// carrier is a Problem, or a type that embeds one.
type carrier interface{ problem() *Problem }

// ofHuma names the errors that huma finds by itself.
var ofHuma = map[int][2]string{
	http.StatusBadRequest:            {"INVALID_JSON", "Send one JSON object as application/json."},
	http.StatusNotAcceptable:         {"NOT_ACCEPTABLE", "Accept application/json."},
	http.StatusRequestTimeout:        {"BODY_TIMEOUT", "Send the body within 5 seconds."},
	http.StatusRequestEntityTooLarge: {"BODY_TOO_LARGE", "Send a body of at most 1 MiB."},
	http.StatusUnsupportedMediaType:  {"UNSUPPORTED_MEDIA_TYPE", "Send application/json."},
	http.StatusUnprocessableEntity:   {"INVALID_FIELD", "The member errors names each place."},
}

// transform gives every error answer one shape and its correlation id. Messages of
// huma that could repeat what was sent are left out.
func (a *API) transform(ctx huma.Context, _ string, v any) (any, error) {
	if e, ok := v.(*huma.ErrorModel); ok {
		named, ok := ofHuma[e.Status]
		if !ok {
			named = [2]string{codeInternal, http.StatusText(e.Status)}
		}
		p := NewProblem(e.Status, named[0], named[1])
		for _, d := range e.Errors {
			if d != nil && e.Status == http.StatusUnprocessableEntity && len(p.Errors) < maxFieldErrors {
				p.Errors = append(p.Errors, FieldError{d.Location, d.Message})
			}
		}
		v = p
	}
	if c, ok := v.(carrier); ok {
		r, _ := humago.Unwrap(ctx)
		return answerOf(r, c), nil
	}
	return v, nil
}

// WriteProblem answers with a problem outside of huma's handlers. It is a [Problem],
// or a type that embeds one.
func (a *API) WriteProblem(w http.ResponseWriter, r *http.Request, problem huma.StatusError) {
	p, ok := problem.(carrier)
	if !ok { // a defect: Translate gives problems only
		p = Internal()
	}
	answer, base, h := answerOf(r, p), p.problem(), w.Header()
	for name, values := range base.Header {
		h[name] = values
	}
	h.Set("Content-Type", answer.dialect.ContentType())
	h.Set("Content-Length", strconv.Itoa(len(answer.text)))
	w.WriteHeader(base.Status)
	_, _ = w.Write(answer.text)
}

// codeInternal is the code of an internal error.
const codeInternal = "INTERNAL"

// Internal is the answer to an internal error, which is in the log.
func Internal() *Problem {
	return NewProblem(http.StatusInternalServerError, codeInternal, "A defect; the log has it under this correlation_id.")
}

func (a *API) problemResponse() *huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(a.o.Problem, true, "Problem")
	return &huma.Response{
		Description: "Any error", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
}
