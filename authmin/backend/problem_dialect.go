package backend

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// sdkError describes the member error of a problem's body.
type sdkError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

// problemAnswer is the body of a problem in the shape that the SDKs of its route show.
type problemAnswer struct {
	text    []byte
	dialect authmin.Dialect
	header  http.Header
	status  int
}

// MarshalJSON is for huma.
func (p problemAnswer) MarshalJSON() ([]byte, error) { return p.text, nil }

// ContentType is for huma.
func (p problemAnswer) ContentType(string) string { return p.dialect.ContentType() }

// answerOf gives the body of a problem for a request.
func answerOf(r *http.Request, p carrier) problemAnswer {
	d := authmin.DialectOf(r.URL.Path, r.Header)
	base := p.problem()
	base.CorrelationID = authmin.CorrelationID(r.Context())
	return problemAnswer{ProblemBody(d, p), d, base.Header, base.Status}
}

// ProblemBody is the body of a problem, or of a type that embeds one, in a dialect. It
// also tells SDKs, in the problem's header, whether to send the request again.
func ProblemBody(d authmin.Dialect, p carrier) []byte {
	base := p.problem()
	edge := &authmin.Problem{
		Status: base.Status, Code: base.Code, CodeNumber: base.CodeNumber, Title: base.Title, Hint: base.Hint,
		Message: base.Hint, Extra: extra(p), Final: base.Header.Get(authmin.HeaderShouldRetry) == "false", SDKCode: base.SDKCode, Param: base.Param,
	}
	if len(base.Errors) > 0 {
		first := base.Errors[0]
		edge.Message = first.Message
		if param, ok := strings.CutPrefix(first.Location, "body."); ok {
			edge.Param, edge.Message = param, param+": "+first.Message
		}
	}
	if edge.IsFinal() {
		base.Header.Set(authmin.HeaderShouldRetry, "false")
	}
	return edge.Body(d, base.CorrelationID)
}

// extra gives the members besides those that every problem has.
func extra(p carrier) map[string]any {
	var all map[string]any
	text, err := json.Marshal(p)
	if err != nil || json.Unmarshal(text, &all) != nil { // a defect: a problem is strings and numbers
		return nil
	}
	for _, name := range []string{"type", "title", "status", "code", "code_number", "hint", "correlation_id", "error"} {
		delete(all, name)
	}
	return all
}
