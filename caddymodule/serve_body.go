package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// sentBody is the body that a client sends, and notes how it ends. An upstream may answer
// before its end; then the proxy gives up the rest, which net/http can take for read, and
// the next bytes of the connection, still the body's, for a request of their own.
type sentBody struct {
	io.ReadCloser
	left   int64 // bytes still to be read; negative where the length is unknown
	shadow bool  // errors stay as they are
	whole  atomic.Bool
	broken atomic.Pointer[authmin.Problem] // why the rest cannot be read
}

// statusClientClosed is the status of Caddy's proxy for a client that disconnected.
const statusClientClosed = 499

// errBrokenBody ends a request whose body cannot be read. It wraps [context.Canceled], as
// for a client that disconnected: a proxy would otherwise count it as a failure of the
// upstream, and may be told to try another one.
var errBrokenBody = fmt.Errorf("reading the body of the client: %w", context.Canceled)

// Read implements [io.Reader].
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case errors.Is(err, io.EOF) || b.left == 0:
		b.whole.Store(true)
	case err != nil:
		err = b.fail(err)
	}
	return n, err
}

// fail notes why the body ends, and returns the error for the handlers behind the guard.
// A handler's own answer and a limit on the size are theirs.
func (b *sentBody) fail(err error) error {
	_, answered := errors.AsType[caddyhttp.HandlerError](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case b.shadow, answered, large, errors.Is(err, http.ErrBodyReadAfterClose):
		return err
	case errors.Is(err, errLateBody), errors.Is(err, os.ErrDeadlineExceeded):
		b.broken.Store(&problemBodyLate)
	default:
		b.broken.Store(&problemBodyCut)
	}
	return fmt.Errorf("%w: %w", errBrokenBody, err)
}

// watchBody notes how the body of a request ends.
func (s *requestState) watchBody(r *http.Request, shadow bool) {
	s.request = r
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return
	}
	s.body = &sentBody{ReadCloser: r.Body, left: r.ContentLength, shadow: shadow}
	r.Body = s.body
}

// closeUnread announces the end of the connection if the body was not read to its end.
// Other versions than HTTP/1 have a stream for each request.
func (s *response) closeUnread() {
	if s.body != nil && s.request.ProtoMajor == 1 && !s.body.whole.Load() {
		s.Header().Set("Connection", "close")
	}
}

// answerBroken answers a request whose body could not be read, in place of the proxy's
// status for a client that disconnected: it may well be there. It reports whether it did.
func (s *response) answerBroken(status int) bool {
	if status != statusClientClosed || s.started || s.body == nil || s.hasGone() {
		return false
	}
	problem := s.body.broken.Load()
	if problem == nil {
		return false
	}
	ctx := authmin.WithCorrelationID(s.request.Context(), s.id)
	authmin.WriteProblemAs(s, s.request.WithContext(ctx), *problem, s.dialect)
	return true
}

// hasGone reports whether the request was cancelled. On HTTP/1 that says no more than that
// the client will send nothing: it may be reading.
func (s *response) hasGone() bool {
	cause := context.Cause(s.request.Context())
	return cause != nil && (s.request.ProtoMajor != 1 || errors.Is(cause, errTokenInvalid))
}

var problemBodyCut = authmin.Problem{
	Status: http.StatusBadRequest, Code: "BODY_CUT", CodeNumber: 40017,
	Title: "The body of the request ended early",
	Hint:  "Send as much as Content-Length says, or end the last chunk.",
}

var problemBodyLate = authmin.Problem{
	Status: http.StatusRequestTimeout, Code: "BODY_TIMEOUT", CodeNumber: 40801,
	Title: "The body of the request did not arrive in time",
	Hint:  "Send the whole body at once. The operator sets the time with public_body on public routes, elsewhere with Caddy's timeouts.",
}
