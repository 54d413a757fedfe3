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

// answer is the response of a request that was let through. It keeps one
// correlation id on it (an upstream of ours sends the same one again), counts
// what was sent, and remembers the connection that a WebSocket takes over.
type answer struct {
	caddyhttp.ResponseWriterWrapper
	id   string
	sent atomic.Int64
	live *liveRequest // nil when no token is behind it
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	a.Header()[authmin.HeaderCorrelationID] = []string{a.id}
	a.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriterWrapper.Write(p)
	a.sent.Add(int64(n))
	return n, err
}

// ReadFrom implements [io.ReaderFrom].
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	n, err := a.ResponseWriterWrapper.ReadFrom(r)
	a.sent.Add(n)
	return n, err
}

// Hijack implements [http.Hijacker], as far as the wrapped writer does.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil || a.live == nil {
		return conn, rw, err
	}
	a.live.mu.Lock()
	defer a.live.mu.Unlock()
	a.live.conn = conn
	return conn, rw, nil
}
