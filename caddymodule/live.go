package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

// errTokenGone ends a request in progress.
var errTokenGone = errors.New("the token is no longer valid")

// liveSet holds the requests that a token was let in with and that are still
// under way: streams, WebSockets, uploads. It is bounded by the connections that
// the server has. When a token is revoked or expires they are ended;
// other tokens' streams are not affected.
type liveSet struct {
	mu    sync.Mutex
	first *liveRequest // of a list through their fields
	count int
}

// liveRequest is one tracked request.
type liveRequest struct {
	digest         authmin.Digest
	policy         *authmin.Policy // by a rule of which it was let in
	rule           int
	next, previous *liveRequest // the set's

	mu     sync.Mutex // held while the response may be touched
	done   bool       // the handler has returned: hands off
	why    authmin.Reason
	cancel context.CancelCauseFunc
	writer http.ResponseWriter
	conn   net.Conn // after a hijack
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

// remove ends the tracking, when the handler has returned, and says why the
// request was ended, if it was. After it nothing touches the response any more:
// HTTP/2 uses it again.
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

// sweep ends every request whose token the keyring does not allow any more. It
// is called again while they wind down: a write that begins after the first
// call has a deadline of its own.
func (s *liveSet) sweep(ring *authmin.Keyring, now time.Time) (ending int) {
	for _, gone := range s.judge(ring, now) {
		gone.request.end(gone.reason)
		ending++
	}
	return ending
}

// goneRequest is a request that has to end, and why.
type goneRequest struct {
	request *liveRequest
	reason  authmin.Reason
}

func (s *liveSet) judge(ring *authmin.Keyring, now time.Time) (gone []goneRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := s.first; q != nil; q = q.next {
		token, verdict := ring.Lookup(q.digest, now)
		reason := verdict.Reason()
		if reason == authmin.ReasonNone && !q.policy.Allows(token.Scopes, q.rule) {
			reason = authmin.ReasonScope
		}
		if reason != authmin.ReasonNone {
			gone = append(gone, goneRequest{q, reason})
		}
	}
	return gone
}

// end cuts a request off. The context ends the work for the upstream; the
// deadlines and the close are for a read or write that waits for the client.
func (q *liveRequest) end(reason authmin.Reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.done {
		return
	}
	q.why = reason
	q.cancel(errTokenGone)
	if q.conn != nil {
		_ = q.conn.Close()
		return
	}
	past := time.Unix(1, 0)
	rc := http.NewResponseController(innermost(q.writer))
	_ = rc.SetReadDeadline(past)
	_ = rc.SetWriteDeadline(past)
}

// innermost is the server's own response writer. The ones that Caddy puts around
// it keep deadlines of their own and belong to the handler's goroutine; this one
// takes a deadline from any.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// len returns how many requests are under way.
func (s *liveSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
