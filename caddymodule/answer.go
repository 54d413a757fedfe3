package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// passage is what the guard keeps of one request while it serves it, in one piece
// of memory.
type passage struct {
	answer
	target    string     // as the client sent it
	sameBytes bool       // the path goes to an upstream as it came
	leaks     bool       // the target holds a token that is known, valid or not
	peer      netip.Addr // the socket's
	clientIP  string     // whom failures and requests count for
	live      liveRequest
	place     *publicPlace // of a stranger, on a public route
	fields    [5]string    // the values of the header fields that the guard sets
	used      int
}

func (g *Guard) passage(w http.ResponseWriter, r *http.Request) *passage {
	p := &passage{answer: answer{id: g.correlationID(r.Header)}, peer: authmin.PeerAddr(r.RemoteAddr)}
	p.ResponseWriter = w
	p.target, p.sameBytes = clientTarget(r)
	p.clientIP = clientIP(r)
	p.leaks = g.app.store.leaks.Holds(p.target)
	return p
}

// field is a header field of one value, as a slice that nothing else shares: what
// comes later may change it in place.
func (p *passage) field(value string) []string {
	if p.used == len(p.fields) {
		return []string{value}
	}
	p.fields[p.used] = value
	p.used++
	return p.fields[p.used-1 : p.used : p.used]
}

// answer is the response of a request that was let through. It keeps one
// correlation id on it (an upstream of ours sends the same one again), counts
// what was sent, and remembers the connection that a WebSocket takes over.
type answer struct {
	caddyhttp.ResponseWriterWrapper
	id   string
	sent atomic.Int64

	tracked *liveRequest // nil when no token is behind it
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if h := a.Header(); len(h[authmin.HeaderCorrelationID]) != 1 || h[authmin.HeaderCorrelationID][0] != a.id {
		h[authmin.HeaderCorrelationID] = []string{a.id}
	}
	a.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriterWrapper.Write(p)
	a.sent.Add(int64(n))
	return n, err
}

// FlushError implements what [http.ResponseController] looks for, so that it need
// not look for it behind this writer for every event of a stream.
func (a *answer) FlushError() error {
	if w, ok := a.ResponseWriter.(interface{ FlushError() error }); ok {
		return w.FlushError()
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
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
	if err != nil || a.tracked == nil {
		return conn, rw, err
	}
	a.tracked.mu.Lock()
	defer a.tracked.mu.Unlock()
	a.tracked.conn = conn
	return conn, rw, nil
}
