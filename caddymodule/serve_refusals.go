package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// Refusals that are the edge's own: authmin knows neither handshakes nor other
// guards, and judges the credential where it belongs.

// varGuard marks a request that a guard has seen.
const varGuard = "authmin.guard"

// nestedDecision refuses what reaches a second guard. Most such arrangements are
// refused at the start; of what is left, as two route blocks that fall through,
// the second guard would judge a request that the first has taken the credential
// off.
var nestedDecision = authmin.Decision{
	Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Reason: authmin.ReasonPolicy,
	Problem: &authmin.Problem{
		Status: http.StatusInternalServerError, Code: "NESTED_GUARD", CodeNumber: 50001, Final: true,
		Title: "Two guards stand in the way of this request",
		Hint:  "The operator has to put each authmin into a handle block of its own.",
	},
}

// earlyDecision refuses early data, on HTTP/3: recorded packets could be replayed,
// token included, and from an address that is not validated (RFC 8470 §5.2). Clients
// retry by themselves.
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
		Title: "A token stands where none belongs",
		Hint:  "Send it in one header Authorization: Bearer TOKEN and nowhere else, and replace it: it may stand in somebody's log.",
	},
}

// asSent is the header of a request as it came, kept for a guard in the error routes:
// the one before it takes the credential off, and puts the gateway's own there.
type asSent struct{ header http.Header }

// String keeps placeholders from showing it.
func (asSent) String() string { return "[redacted]" }

// sentHeader marks a request, and reports whether another guard has marked it, and
// the header that it came with. Error routes run after the others, so a guard there
// is not inside another.
func (g *Guard) sentHeader(r *http.Request) (sent http.Header, nested bool) {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	failed := r.Context().Value(caddyhttp.ErrorCtxKey) != nil
	switch mark := vars[varGuard].(type) {
	case nil:
	case asSent:
		return mark.header, !failed
	default:
		return r.Header, !failed
	}
	switch {
	case vars == nil:
	case g.errors:
		vars[varGuard] = asSent{r.Header.Clone()}
	default:
		vars[varGuard] = true
	}
	return r.Header, false
}
