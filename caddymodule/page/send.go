package page

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/llorch/gateway/caddymodule/trail"
)

// maxMessage bounds one event. recordsAtOnce records of the audit trail fit into one, even
// where each byte of them is written with six, as JSON has < and >.
const (
	maxMessage    = 256 << 10
	recordsAtOnce = maxMessage / 6 / (trail.MaxRecord + 1)
)

// stream writes server-sent events to one reader.
type stream struct {
	ctx  context.Context
	w    http.ResponseWriter
	rc   *http.ResponseController
	slow time.Duration // how long a reader may take nothing

	current func() bool // whether the reader may still see what it asked for
}

// errChanged ends a stream whose token has other scopes now. The page opens another.
var errChanged = errors.New("the scopes of the token have changed")

// open begins the answer.
func open(w http.ResponseWriter, r *http.Request, slow time.Duration, current func() bool) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for an nginx in front
	w.WriteHeader(http.StatusOK)
	return &stream{r.Context(), w, http.NewResponseController(w), slow, current}
}

// send writes one event. An event that is too long is replaced by one that says so.
func (s *stream) send(event string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if len(body) > maxMessage {
		event, body = "omitted", []byte(`{"event":"`+event+`"}`)
	}
	return s.write("event: " + event + "\ndata: " + string(body) + "\n\n")
}

// alive writes a comment; the write fails if the reader has gone.
func (s *stream) alive() error { return s.write(":\n\n") }

// write sends a text at once. The deadline is set before the context is looked at: when
// the token becomes invalid, the guard cancels the context and then sets a deadline of its
// own, and this one must not replace it unnoticed.
func (s *stream) write(text string) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.slow))
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if !s.current() {
		return errChanged
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}

// close ends the deadline: the connection may serve another request.
func (s *stream) close() {
	if s.ctx.Err() == nil {
		_ = s.rc.SetWriteDeadline(time.Time{})
	}
}
