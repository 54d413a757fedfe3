package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

const (
	// publicBuffer is how much of a body is read before the request is forwarded, so
	// that a small body that arrives slowly does not occupy a thread of the upstream.
	// With the 256 slots of a guard that is 16 MiB at most.
	publicBuffer = 64 << 10
	// streamEnd is how long the stream of a GET or HEAD may stay open on HTTP/2 and
	// HTTP/3: its end may arrive in a packet after the header.
	streamEnd = time.Second
)

// bodiless reports a request whose method has no body on a public route.
func bodiless(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// hasForbiddenBody reports whether the header of a GET or HEAD announces a body. On HTTP/2
// and HTTP/3 without Content-Length it does not show: there, receive waits for the end of
// the stream.
func hasForbiddenBody(r *http.Request) bool {
	return bodiless(r) && (r.ContentLength > 0 || len(r.TransferEncoding) > 0)
}

// receive reads up to [publicBuffer] of a body within the rule's time, and sets the same
// deadline for the rest. It returns the problem of a body that does not arrive.
func (s *publicSlot) receive(w http.ResponseWriter, r *http.Request, rule publicRule) *authmin.Problem {
	limit := rule.body
	if r.Body == nil || r.ContentLength == 0 {
		s.bodyEnds()
		return nil
	}
	size := int64(publicBuffer)
	if r.ContentLength > 0 {
		size = min(size, r.ContentLength+1) // one more, to see the end
	}
	if bodiless(r) {
		limit, size = min(limit, streamEnd), 1
	}
	body := &publicBody{ReadCloser: r.Body, slot: s, control: http.NewResponseController(w)}
	body.idle, _ = caddyhttp.IdleTimeoutsFromContext(r.Context())
	body.deadline = time.Now().Add(limit)
	if err := body.control.SetReadDeadline(body.deadline); err != nil {
		return &problemBodyLate // the time of the body cannot be bounded
	}
	var start bytes.Buffer
	n, err := io.CopyN(&start, body, size)
	switch {
	case bodiless(r) && errors.Is(err, io.EOF):
		r.Body, r.ContentLength = http.NoBody, 0
	case bodiless(r):
		return &problemPublicBody
	case s.wasLate():
		return &problemBodyLate
	case err != nil && (!errors.Is(err, io.EOF) || n < r.ContentLength):
		return &problemBodyCut
	case err == nil:
		rest, problem := body.gather(r, rule)
		if problem != nil {
			return problem
		}
		r.Body = startedBody{io.MultiReader(&start, rest, body), body}
	default:
		r.Body = startedBody{&start, body}
	}
	return nil
}

// startedBody is a body whose beginning has been read.
type startedBody struct {
	io.Reader
	io.Closer
}

// publicBody enforces the deadline of a body, and tells the slot when it ends.
type publicBody struct {
	io.ReadCloser
	slot     *publicSlot
	control  *http.ResponseController
	idle     *caddyhttp.IdleTimeoutReader // Caddy's own; nil where that is turned off
	deadline time.Time
	ended    error
}

// errLateBody ends a request whose body did not arrive in time. It wraps
// [context.Canceled], as for a client that disconnected, so that a proxy does not count it
// as a failure of the upstream.
var errLateBody = fmt.Errorf("reading the body of a public request: public_body is over: %w", context.Canceled)

// Read implements [io.Reader].
func (b *publicBody) Read(p []byte) (int, error) {
	if b.ended != nil {
		return 0, b.ended
	}
	n, err := b.ReadCloser.Read(p)
	late := errors.Is(err, os.ErrDeadlineExceeded) || (err != io.EOF && !time.Now().Before(b.deadline))
	switch {
	case late:
		b.slot.bodyIsLate()
		b.ended = errLateBody
	case err != nil:
		b.ended = err
		b.slot.bodyEnds()
		b.clear()
	}
	if b.ended != nil {
		return n, b.ended
	}
	return n, err
}

// clear removes the deadline at the end of the body: net/http keeps reading to detect
// whether the client disconnects. Caddy's reader removes it itself.
func (b *publicBody) clear() {
	if b.idle == nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
}

// Close implements [io.Closer]: the proxy does not read the rest of the body.
func (b *publicBody) Close() error {
	b.slot.bodyEnds()
	return b.ReadCloser.Close()
}
