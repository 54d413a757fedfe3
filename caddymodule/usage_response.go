package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// errCallStopped ends the copying of a stream that the gateway has ended.
var errCallStopped = errors.New("the stream was ended by the gateway")

// writeCounted passes bytes of a call's answer on, unchanged and in one piece, unless the
// stream has to end within them.
func (s *response) writeCounted(p []byte) (int, error) {
	c := s.call
	if c.problem != nil {
		return 0, errCallStopped
	}
	n, err := s.ResponseWriterWrapper.Write(p[:c.read(p)])
	s.sent.Add(int64(n))
	if c.failed = c.failed || err != nil; err == nil && c.problem != nil {
		err = s.stopCall()
	}
	return n, err
}

// read scans bytes that are about to be passed on, and returns how many of them are: all,
// or up to the end of the event with which the stream has to end.
func (c *usageCall) read(p []byte) int {
	for at := 0; at < len(p); {
		n, ended := c.scanner.Event(p[at:])
		at += n
		seen, texts := c.scanner.Seen(), c.scanner.Texts()
		if c.first == 0 && (seen > 0 || !c.scanner.Streamed()) {
			c.first = time.Since(c.started)
		}
		if seen == c.seen && texts == c.texts || !ended {
			continue
		}
		c.seen, c.texts = seen, texts
		if c.onOutput != nil && !c.sized {
			if c.problem = c.onOutput(seen, texts); c.problem != nil {
				return at
			}
		}
	}
	return len(p)
}

// stopCall ends a stream with the error event of its protocol.
func (s *response) stopCall() error {
	c := s.call
	c.stopped = true
	n, err := s.ResponseWriterWrapper.Write(errorEvent(s.dialect, s.request.URL.Path, c.problem, s.id))
	s.sent.Add(int64(n))
	if err == nil {
		err = s.FlushError()
	}
	c.failed = err != nil
	return errors.Join(errCallStopped, err)
}

// forwardCall forwards a call and counts it, also when the proxy panics with
// [http.ErrAbortHandler]. After a stream that the gateway ended with an error event it
// recovers that panic, by which the server would cut the connection: the client gets the
// event, and the regular end of the answer.
func (g *Guard) forwardCall(r *http.Request, next caddyhttp.Handler, s *requestState, d *authmin.Decision, c *usageCall) (err error) {
	whole := false
	defer func() {
		g.endCall(s, d, c, c.result(err, whole))
		if c.stopped && !c.failed && !whole {
			if why := recover(); why != nil {
				if abort, ok := why.(error); !ok || !errors.Is(abort, http.ErrAbortHandler) {
					panic(why)
				}
			}
			err = nil
		}
	}()
	err = g.forward(r, next, s, d)
	whole = true
	return err
}

// writerOnly hides that a writer can read from a reader.
type writerOnly struct{ io.Writer }

// errorEvent is a problem as the last event of a stream.
func errorEvent(dialect authmin.Dialect, path string, p *authmin.Problem, id string) []byte {
	body := p.Body(dialect, id)
	switch {
	case dialect == authmin.DialectOllama:
		return append(body, '\n')
	case dialect == authmin.DialectAnthropic, path == "/v1/responses", path == "/responses":
		return append(append([]byte("event: error\ndata: "), body...), "\n\n"...)
	}
	return append(append([]byte("data: "), body...), "\n\n"...)
}
