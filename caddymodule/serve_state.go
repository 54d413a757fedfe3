package caddymodule

import (
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/budget"
)

// requestState is the guard's state of one request, in one allocation.
type requestState struct {
	response
	start     time.Time
	target    string     // as the client sent it
	sameBytes bool       // the path reaches an upstream in the same bytes
	preflight bool       // answered by the guard
	headers   []string   // that a preflight asks for
	models    string     // that the guard read in the request, with commas; "" for none
	leaks     bool       // the target contains a known token, valid or not
	peer      netip.Addr // the socket's
	clientIP  string     // for lockout, limits and the audit trail
	live      liveRequest
	endLimit  func()      // ends a request in progress of its identity; nil: no limit
	slot      *publicSlot // on a public route; nil: no public route
	memory    *bodyMemory // charged for the body, under the name of holder; nil: nothing is charged
	holder    string
	charged   atomic.Int64 // bytes; the proxy may read the body while the request ends
	fields    [8]string    // the values of the header fields that the guard sets
	used      int

	routes     []authmin.ModelRoute // see modelRoutes
	free       bool
	routesRead bool

	would       authmin.Reason      // why a budget that only counts would have refused it
	counted     bool                // would, in the metric of refusals by budgets
	me          bool                // asks for its own identity, and is answered by the guard
	lenient     bool                // a body that cannot be read for its cost is forwarded
	cost        *requestCost        // nil: no budget of tokens
	reservation *budget.Reservation // nil: no budget
	spending    *budgetMetrics      // of the guard, with reservation
	spender     string              // the identity
	granted     int64               // tokens of the answer that are reserved
	reserved    int64               // tokens of prompt and answer that were reserved at first
	usual       int64               // tokens that such a request may take without its limits
	noOutput    bool                // the route counts or describes, and generates nothing
}

func (g *Guard) newRequestState(w http.ResponseWriter, r *http.Request) *requestState {
	s := &requestState{start: time.Now(), response: response{id: g.correlationID(r.Header)}, peer: authmin.PeerAddr(r.RemoteAddr)}
	s.ResponseWriter = w
	s.target, s.sameBytes = clientTarget(r)
	path, _, _ := strings.Cut(s.target, "?")
	s.dialect = authmin.DialectOf(path, r.Header)
	if g.cors != nil && !g.Shadow {
		s.cors, s.origin = g.cors, g.clientOrigin(r)
	}
	s.clientIP = clientIP(r)
	s.leaks = g.app.store.leaks.ContainsToken(s.target)
	return s
}

// modelRoutes returns the model_in routes of a request, and whether model_free matches it: see
// [authmin.ModelRoutes.Find], which is asked once.
func (s *requestState) modelRoutes(g *Guard, method, path string) (routes []authmin.ModelRoute, free bool) {
	if !s.routesRead {
		s.routes, s.free = g.models.Find(method, path)
		s.routesRead = true
	}
	return s.routes, s.free
}

// release releases the request's share of all limits.
func (s *requestState) release() {
	s.slot.release()
	s.endBudgets()
	if s.endLimit != nil {
		s.endLimit()
	}
	s.discharge()
}

// field returns a header field with one value, as a slice that is not shared: later
// handlers may modify it in place.
func (s *requestState) field(value string) []string {
	if s.used == len(s.fields) {
		return []string{value}
	}
	s.fields[s.used] = value
	s.used++
	return s.fields[s.used-1 : s.used : s.used]
}

// next calls the next handler, on a public route with a writer that releases
// the slot.
func (s *requestState) next(next caddyhttp.Handler, r *http.Request) error {
	if s.slot == nil {
		return next.ServeHTTP(&s.response, r)
	}
	return next.ServeHTTP(&publicResponse{response: &s.response, slot: s.slot}, r)
}
