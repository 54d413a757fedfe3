package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// Refusals by the edge: package authmin knows neither handshakes nor other guards, and
// checks the credential in its header only.

// varGuard marks a request that a guard has processed.
const varGuard = "authmin.guard"

// nestedDecision refuses a request that reaches a second guard. Most such configurations
// are refused at the start. In the others, such as two route blocks that both run, the
// second guard would decide on a request whose credential the first has removed.
var nestedDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusInternalServerError, Code: "NESTED_GUARD", CodeNumber: 50001, Final: true,
		Title: "Two guards apply to this request",
		Hint:  "The operator must put each authmin into a handle block of its own.",
	},
}

// earlyDecision refuses early data, on HTTP/3: an attacker could replay recorded packets
// including the token, and from an address that is not validated (RFC 8470 §5.2). Clients
// retry automatically.
var earlyDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusTooEarly, Code: "TOO_EARLY", CodeNumber: 42501,
		Title: "The request came before the end of the TLS handshake",
		Hint:  "Send it again on the same connection, not as early data.",
	},
}

// leakedDecision refuses a request whose target, Host or method contains a valid token:
// it cannot be removed there, and would be in the upstream's logs.
var leakedDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusBadRequest, Code: "MISPLACED_TOKEN", CodeNumber: 40002,
		Title: "A token is in the path, the query, the Host or the method",
		Hint:  "Send it only in the header Authorization: Bearer TOKEN, and replace it: it may be in a log.",
	},
}

// originalHeader is the header that the client sent, kept for a guard in the error
// routes: an earlier guard replaces the credential by the gateway's own.
type originalHeader struct{ header http.Header }

// String implements [fmt.Stringer], so that a placeholder does not show the header.
func (originalHeader) String() string { return "[redacted]" }

// sentHeader marks a request. It returns the header that the client sent, and reports
// whether another guard has marked the request. Error routes run after the others, so a
// guard there is not nested.
func (g *Guard) sentHeader(r *http.Request) (sent http.Header, nested bool) {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	failed := r.Context().Value(caddyhttp.ErrorCtxKey) != nil
	switch mark := vars[varGuard].(type) {
	case nil:
	case originalHeader:
		return mark.header, !failed
	default:
		return r.Header, !failed
	}
	switch {
	case vars == nil:
	case g.errors:
		vars[varGuard] = originalHeader{r.Header.Clone()}
	default:
		vars[varGuard] = true
	}
	return r.Header, false
}
