package caddymodule

import (
	"io"
	"net/http"
	"sync/atomic"
)

// sentBody notes whether all of a request's body was read. An upstream may answer before
// that; then the proxy gives up the rest, which net/http can take for read, and the next
// bytes of the connection, still the body's, for a request of their own.
type sentBody struct {
	io.ReadCloser
	left  int64 // bytes that are not read; negative: the length is not known
	whole atomic.Bool
}

// Read implements [io.Reader].
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	if err == io.EOF || b.left == 0 {
		b.whole.Store(true)
	}
	return n, err
}

// watchBody has the connection closed after an answer that comes before the end of the
// request. Other versions than HTTP/1 have a stream for each request.
func (s *requestState) watchBody(r *http.Request) {
	if r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return
	}
	s.body = &sentBody{ReadCloser: r.Body, left: r.ContentLength}
	r.Body = s.body
}

// closeUnread announces the end of the connection if the body was not read to its end.
func (s *response) closeUnread() {
	if s.body != nil && !s.body.whole.Load() {
		s.Header().Set("Connection", "close")
	}
}
