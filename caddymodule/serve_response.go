package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// response is the response to an allowed request. It ensures a single correlation id
// (upstreams send one of their own), counts the bytes, and keeps the connection that a
// WebSocket hijacks.
type response struct {
	caddyhttp.ResponseWriterWrapper
	id      string
	dialect authmin.Dialect // of the client's path
	cors    *corsRule       // nil: answers stay as they are
	origin  string          // of the page, if the guard's `cors` names it
	quotas  *quotaFields    // nil: the identity has neither limit nor budget
	started bool            // the answer, after which its header is sent
	sent    atomic.Int64
	request *http.Request // as it is forwarded
	body    *sentBody     // nil: the request has none

	call    *usageCall   // nil for a request whose tokens are not counted
	tracked *liveRequest // nil for a request without a token
}

// WriteHeader implements [http.ResponseWriter].
func (s *response) WriteHeader(status int) {
	if s.answerBroken(status) {
		return
	}
	if isInterim := status < http.StatusOK && status != http.StatusSwitchingProtocols; isInterim {
		s.keepHeader()
	} else {
		s.start(status)
	}
	s.ResponseWriterWrapper.WriteHeader(status)
}

// start makes the header what it has to be, before the first byte of the answer.
func (s *response) start(status int) {
	if s.started {
		return
	}
	s.started = true
	s.keepHeader()
	if status != http.StatusSwitchingProtocols {
		s.closeUnread()
	}
	if s.call != nil {
		s.call.begin(status, s.Header())
	}
}

func (s *response) keepHeader() {
	s.keepIDs()
	if s.quotas != nil {
		s.quotas.set(s.Header())
	}
	s.keepCORS()
}

// Write implements [http.ResponseWriter].
func (s *response) Write(p []byte) (int, error) {
	s.start(http.StatusOK)
	if s.call != nil {
		return s.writeCounted(p)
	}
	n, err := s.ResponseWriterWrapper.Write(p)
	s.sent.Add(int64(n))
	return n, err
}

// FlushError is found by [http.ResponseController], so that it does not search the wrapped
// writers for every event of a stream.
func (s *response) FlushError() error {
	s.start(http.StatusOK)
	if w, ok := s.ResponseWriter.(interface{ FlushError() error }); ok {
		return w.FlushError()
	}
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// ReadFrom implements [io.ReaderFrom].
func (s *response) ReadFrom(r io.Reader) (int64, error) {
	s.start(http.StatusOK)
	if s.call != nil {
		return io.Copy(writerOnly{s}, r)
	}
	n, err := s.ResponseWriterWrapper.ReadFrom(r)
	s.sent.Add(n)
	return n, err
}

// Hijack implements [http.Hijacker], as far as the wrapped writer does.
func (s *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil || s.tracked == nil {
		return conn, rw, err
	}
	s.tracked.mu.Lock()
	defer s.tracked.mu.Unlock()
	s.tracked.conn = conn
	return conn, rw, nil
}
