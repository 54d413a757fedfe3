package authmin

import (
	"net/http"
	"strconv"
)

// Problem is a problem detail of RFC 9457. CodeNumber is the status and two digits that
// distinguish problems with the same status.
type Problem struct {
	Status     int
	Code       string
	CodeNumber int
	Title      string
	Hint       string         // what the caller can do; never text that the caller sent
	Extra      map[string]any // further members of the body
	Message    string         // what SDKs show; "" for the title and the hint
	Param      string         // the member of the request that is wrong, for OpenAI's SDKs
	SDKCode    string         // what OpenAI's SDKs show as the code; "" for Code
	Final      bool           // sending the request again cannot help, although its status says so
}

// The problems of access control. All invalid tokens get the same body, so that an answer
// does not reveal why a token is invalid.
var (
	ProblemMissingToken = Problem{
		Status: http.StatusUnauthorized, Code: "MISSING_TOKEN", CodeNumber: 40101,
		Title: "No credentials were sent",
		Hint:  "Send the header Authorization: Bearer TOKEN.",
	}
	ProblemBadToken = Problem{
		Status: http.StatusUnauthorized, Code: "BAD_TOKEN", CodeNumber: 40102,
		Title: "The credentials are not valid",
		Hint:  "Send one header Authorization: Bearer TOKEN, with a token that is valid now.",
	}
	ProblemScope = Problem{
		Status: http.StatusForbidden, Code: "INSUFFICIENT_SCOPE", CodeNumber: 40302,
		Title: "The token does not have the required scope",
		Hint:  "Ask the operator for a token with that scope.",
	}
	ProblemForeignHost = Problem{
		Status: http.StatusForbidden, Code: "FOREIGN_HOST", CodeNumber: 40303,
		Title: "The request does not come from this machine",
		Hint:  "Without a token only http://localhost, http://127.0.0.1 and http://[::1] with this server's port are served.",
	}
	ProblemForeignOrigin = Problem{
		Status: http.StatusForbidden, Code: "FOREIGN_ORIGIN", CodeNumber: 40304,
		Title: "The request does not come from this machine",
		Hint:  "Requests of web pages from other origins need a token.",
	}
	ProblemDenied = Problem{
		Status: http.StatusForbidden, Code: "DENIED", CodeNumber: 40305,
		Title: "The policy denies this request to every client",
		Hint:  "Check the method and the path. The operator's policy lists the routes that are allowed.",
	}
	ProblemLockedOut = Problem{
		Status: http.StatusTooManyRequests, Code: "LOCKED_OUT", CodeNumber: 42901,
		Title: "Too many invalid credentials were sent by this client",
		Hint:  "Wait as long as Retry-After says. A valid token is accepted at any time.",
	}
	ProblemLimited = Problem{
		Status: http.StatusTooManyRequests, Code: "LIMITED", CodeNumber: 42902,
		Title: "This identity has used up its limit",
		Hint:  "Wait as long as Retry-After says, or run fewer requests at once.",
	}
	// ProblemBudgetSpent refuses a request of an identity whose budget is spent. Sending it
	// again helps only in the next window, so that SDKs do not.
	ProblemBudgetSpent = Problem{
		Status: http.StatusTooManyRequests, Code: "BUDGET_SPENT", CodeNumber: 42904,
		Title: "The budget of this identity is spent",
		Hint:  "Wait until the next window, as Retry-After says, or ask the operator for a larger budget.",
		Final: true, SDKCode: "insufficient_quota",
	}
	ProblemBadRequest = Problem{
		Status: http.StatusBadRequest, Code: "AMBIGUOUS_REQUEST", CodeNumber: 40001,
		Title: "The request is ambiguous",
		Hint:  "Send a Host, an ordinary method, and a path in origin form: no dot segments, double slashes, backslashes, parameters or encoded delimiters.",
	}
	ProblemVariant = Problem{
		Status: http.StatusBadRequest, Code: "AMBIGUOUS_REQUEST", CodeNumber: 40001,
		Title: "The path is another spelling of a path with a stricter rule",
		Hint:  "Write the path exactly as documented, including case, a trailing slash and composed characters.",
	}
)

const realm = `Bearer realm="llorch"`

// ProblemFor returns the problem of a missing or invalid credential.
func ProblemFor(reason Reason) *Problem {
	switch reason {
	case ReasonMissing:
		return &ProblemMissingToken
	case ReasonHost:
		return &ProblemForeignHost
	case ReasonOrigin:
		return &ProblemForeignOrigin
	}
	return &ProblemBadToken
}

// Challenge returns the WWW-Authenticate field of RFC 6750 §3 for an answer; "" for none.
// It has an error only if a credential was sent.
func Challenge(p Problem, scopes []Scope) string {
	switch p.Code {
	case ProblemMissingToken.Code:
		return realm
	case ProblemBadToken.Code:
		return realm + `, error="invalid_token"`
	case ProblemScope.Code:
		return realm + `, error="insufficient_scope", scope="` + JoinScopes(scopes, " ") + `"`
	case ProblemBadRequest.Code:
		return realm + `, error="invalid_request"`
	}
	return ""
}

// WriteProblem writes a problem as the answer, in the dialect of the request, with
// the headers that all error answers have. The caller sets a challenge.
func WriteProblem(w http.ResponseWriter, r *http.Request, p Problem) {
	WriteProblemAs(w, r, p, DialectOf(r.URL.Path, r.Header))
}

// WriteProblemAs is [WriteProblem] for a request whose path may have been rewritten.
func WriteProblemAs(w http.ResponseWriter, r *http.Request, p Problem, d Dialect) {
	body := p.Body(d, CorrelationID(r.Context()))
	h := w.Header()
	h.Set("Content-Type", d.ContentType())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.IsFinal() {
		h.Set(HeaderShouldRetry, "false")
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
