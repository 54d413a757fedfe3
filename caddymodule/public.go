package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Requests of public routes come from clients without a token. They are bounded for
// each client and in total, so that such clients cannot hold the threads of an upstream.
// Requests with a token are bounded by `limit` and `inflight` instead.

// The defaults of the options public_inflight, public_total and public_body.
const (
	defaultPublicInflight = 16
	defaultPublicTotal    = 256
	defaultPublicBody     = 10 * time.Second
)

// The largest settings.
const (
	maxPublicSlots = 1 << 16
	maxPublicBody  = time.Hour
)

// The values of the label `limit` for public routes.
const (
	limitPublicInflight = "public_inflight"
	limitPublicTotal    = "public_total"
)

// publicRule is what a guard allows on public routes.
type publicRule struct {
	inflight int           // requests in progress of one client
	total    int           // of all clients together
	body     time.Duration // from the request's header to the end of its body
	wait     time.Duration // for a slot; 0 is [publicWait], which also bounds the queue
}

// publicRuleOf validates a guard's settings for public routes; zeros are defaults.
func (g *Guard) publicRuleOf() (publicRule, error) {
	rule := publicRule{inflight: defaultPublicInflight, total: defaultPublicTotal, body: defaultPublicBody}
	for _, n := range []int{g.PublicInflight, g.PublicTotal} {
		if n < 0 || n > maxPublicSlots {
			return rule, errPublicSlots
		}
	}
	if body := time.Duration(g.PublicBody); body < 0 || body > maxPublicBody {
		return rule, errPublicBody
	}
	if g.PublicInflight > 0 {
		rule.inflight = g.PublicInflight
	}
	if g.PublicTotal > 0 {
		rule.total = g.PublicTotal
	}
	if g.PublicBody > 0 {
		rule.body = time.Duration(g.PublicBody)
	}
	return rule, nil
}

var (
	errPublicSlots = errors.New("public_inflight, public_total: want a number of requests from 1 to 65536, such as `public_inflight 16`")
	errPublicBody  = errors.New("public_body: want a time above 0 and of at most 1h, such as `public_body 10s`")
)

var problemPublicBody = authmin.Problem{
	Status: http.StatusBadRequest, Code: "UNEXPECTED_BODY", CodeNumber: 40003,
	Title: "A GET or HEAD request of a public route has no body",
	Hint:  "Send it without Content-Length and Transfer-Encoding, and end the stream with the header.",
}

var problemPublicFull = authmin.Problem{
	Status: http.StatusTooManyRequests, Code: "PUBLIC_LIMIT", CodeNumber: 42903,
	Title: "Too many requests without a token are in progress",
	Hint:  "Wait as long as Retry-After says, and run fewer requests at once. Routes that need a token are not affected.",
}

// admit acquires a slot for a request that a public rule allows, and reads the beginning
// of its body before the request is forwarded.
//
// A shadow guard refuses nothing, so it neither waits nor reads. It reports a request
// without a free slot immediately.
func (g *Guard) admit(r *http.Request, s *requestState) refusal {
	if hasForbiddenBody(r) {
		return refusal{authmin.ReasonBody, &problemPublicBody, 0}
	}
	var reached string
	s.slot, reached = g.public.acquire(r.Context(), clientKey(s.clientAddr()), g.publicRule, !g.Shadow)
	if s.slot == nil {
		g.metrics.limited[reached].Inc()
		return refusal{authmin.ReasonLimited, &problemPublicFull, time.Second}
	}
	if g.Shadow || s.preflight { // the answer to a preflight does not wait for its body
		return refusal{}
	}
	switch problem := s.slot.receive(s.ResponseWriter, r, g.publicRule); problem {
	case nil:
		return refusal{}
	case &problemPublicLarge:
		g.metrics.limited[limitPublicInflight].Inc()
		return refusal{authmin.ReasonLimited, problem, time.Second}
	default:
		return refusal{authmin.ReasonBody, problem, 0}
	}
}
