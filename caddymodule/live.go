package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

// errTokenInvalid is the cause of the context of a terminated request.
var errTokenInvalid = errors.New("the token is no longer valid")

// liveSet holds the requests in progress that were allowed by a token: streams,
// WebSockets, uploads. It is bounded by the server's connections. When a token is revoked
// or expires, its requests are ended; other tokens' streams are not affected.
type liveSet struct {
	mu    sync.Mutex
	first *liveRequest // of a list through their fields
	count int
	ring  *authmin.Keyring // of the last sweep, whichever configuration it was of; nil: none yet
}

// liveRequest is one tracked request.
type liveRequest struct {
	digest         authmin.Digest
	policy         *authmin.Policy // whose rule allowed it
	rule           int
	listed         bool            // its token had a list of models, so that models were read
	models         []string        // that it asked for
	list           *authmin.Models // that its upstream checks; nil: the guard has
	next, previous *liveRequest    // the set's

	mu     sync.Mutex // held while the response is used
	done   bool       // the handler has returned: the response must not be used
	why    authmin.Reason
	cancel context.CancelCauseFunc
	writer http.ResponseWriter
	conn   net.Conn // after a hijack
}

// liveRequest returns the request with what its token is judged by, while it is in progress.
func (g *Guard) liveRequest(s *requestState, d *authmin.Decision) *liveRequest {
	q := &s.live
	q.digest, q.policy, q.rule, q.listed = d.Token.Digest(), g.policy, d.Rule, d.Models != nil
	if g.ModelsAt == ModelsAtUpstream {
		q.list = d.Models
	}
	return q
}

// add tracks a request.
func (s *liveSet) add(q *liveRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.next = s.first; q.next != nil {
		q.next.previous = q
	}
	s.first = q
	s.count++
}

// remove ends the tracking when the handler has returned. It returns why the request was
// terminated, if it was. After it, sweep does not use the response: HTTP/2 reuses it.
func (s *liveSet) remove(q *liveRequest) authmin.Reason {
	q.mu.Lock()
	q.done = true
	why := q.why
	q.mu.Unlock()
	q.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.previous == nil {
		s.first = q.next
	} else {
		q.previous.next = q.next
	}
	if q.next != nil {
		q.next.previous = q.previous
	}
	q.next, q.previous = nil, nil
	s.count--
	return why
}

// sweep terminates every request that the keyring does not allow any more. It is called
// repeatedly until they have ended: a write that begins after the first call needs a
// deadline again.
func (s *liveSet) sweep(ring *authmin.Keyring, now time.Time) (ending int) {
	for _, invalid := range s.findInvalid(ring, now) {
		invalid.request.end(invalid.reason)
		ending++
	}
	return ending
}

// swept is the keyring of the last sweep.
func (s *liveSet) swept() *authmin.Keyring {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring
}

// invalidRequest is a request to terminate, and why.
type invalidRequest struct {
	request *liveRequest
	reason  authmin.Reason
}

func (s *liveSet) findInvalid(ring *authmin.Keyring, now time.Time) (invalid []invalidRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring = ring
	for q := s.first; q != nil; q = q.next {
		if reason, _ := q.judge(ring, now); reason != authmin.ReasonNone {
			invalid = append(invalid, invalidRequest{q, reason})
		}
	}
	return invalid
}

// judge returns why a keyring does not allow the request any more, and the models that its
// token may use there.
func (q *liveRequest) judge(ring *authmin.Keyring, now time.Time) (authmin.Reason, *authmin.Models) {
	token, verdict := ring.Lookup(q.digest, now)
	switch {
	case verdict != authmin.VerdictValid:
		return verdict.Reason(), nil
	case !q.policy.Allows(token.Scopes, q.rule):
		return authmin.ReasonScope, nil
	case token.Models != nil && !q.listed,
		q.list != nil && !token.Models.Covers(q.list),
		slices.ContainsFunc(q.models, func(name string) bool { return !token.Models.Allow(name) }):
		return authmin.ReasonModel, token.Models
	}
	return authmin.ReasonNone, nil
}

// end terminates a request. Cancelling the context ends the request to the upstream; the
// deadlines and the close end a read or write that waits for the client.
func (q *liveRequest) end(reason authmin.Reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.done {
		return
	}
	q.why = reason
	q.cancel(errTokenInvalid)
	if q.conn != nil {
		_ = q.conn.Close()
		return
	}
	past := time.Unix(1, 0)
	rc := http.NewResponseController(innermost(q.writer))
	_ = rc.SetReadDeadline(past)
	_ = rc.SetWriteDeadline(past)
}

// innermost returns the server's own response writer. Caddy's wrappers have deadlines of
// their own and may be used on the handler's goroutine only; the server's writer accepts
// a deadline from any goroutine.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// len returns the number of requests in progress.
func (s *liveSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
