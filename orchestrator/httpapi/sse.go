package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator"
)

// sse writes a text/event-stream, one flush an event.
type sse struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	// patience is how long one event may take to leave: a reader that does not
	// read is cut, and may resume. The kernel's buffers are its only credit.
	patience time.Duration
	renewed  time.Time // when a write's deadline was set last
	piece    []byte    // what is sent now; no longer than the longest event
	left     error     // why nothing reaches the client any more
}

// renewal is how long a deadline serves for the writes that follow: to set one
// costs some percent of an event. The patience is that much shorter at worst.
const renewal = time.Second

// newSSE begins a stream. Its headers go with what is sent first; open sends them
// ahead, so that a client sees the stream is open before the first event.
func newSSE(w http.ResponseWriter, patience time.Duration) *sse {
	s := &sse{w: w, ctl: http.NewResponseController(w), patience: patience}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // for an nginx in front
	w.WriteHeader(http.StatusOK)
	return s
}

func (s *sse) open() { _ = s.flush() }

// write sends one piece of the stream and waits until the kernel has it.
func (s *sse) write(piece []byte) error {
	s.left = s.send(piece)
	return s.left
}

// alive is a comment that keeps the connection.
func (s *sse) alive() error { return s.write([]byte(": alive\n\n")) }

func (s *sse) send(piece []byte) error {
	if now := time.Now(); now.Sub(s.renewed) >= min(renewal, s.patience/4) {
		s.renewed = now
		if err := s.ctl.SetWriteDeadline(now.Add(s.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	return s.flush()
}

func (s *sse) flush() error { return s.ctl.Flush() }

func (s *sse) event(ev orchestrator.Event) error {
	s.piece = strconv.AppendUint(append(s.piece[:0], "id: "...), ev.ID, 10)
	s.piece = append(append(append(s.piece, "\nevent: "...), ev.Type...), "\ndata: "...)
	s.piece = append(append(s.piece, ev.Data...), "\n\n"...)
	return s.write(s.piece)
}

// count notes a reader that was cut because it did not read.
func (s *sse) count(reader *orchestrator.Reader) {
	if errors.Is(s.left, os.ErrDeadlineExceeded) {
		reader.Cut()
	}
}

// follow copies a task's events until the last, or until somebody leaves, and
// gives the error that ended it. A comment keeps the connection alive while
// nothing happens.
func (s *sse) follow(ctx context.Context, reader *orchestrator.Reader, verbose bool, heartbeat time.Duration) error {
	defer s.count(reader)
	tokens := 0
	for {
		events, err := reader.Wait(ctx, heartbeat)
		if err != nil {
			return err // the client may resume, unless it was the end
		}
		if len(events) == 0 {
			if err := s.alive(); err != nil {
				return err
			}
		}
		for _, ev := range events {
			if ev.Type == orchestrator.EventToken {
				tokens++
			}
			if err := s.event(ev); err != nil {
				return err
			}
			if verbose && ev.Type == orchestrator.EventStarted {
				if err := s.event(reader.Metrics(ev.ID, tokens)); err != nil {
					return err
				}
			}
		}
	}
}

// unreadable logs why a task's events could not be read to their end, unless that
// is nothing unusual: the end itself, a client that has left, a stop.
func (a *API) unreadable(ctx context.Context, taskID string, err error) {
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, orchestrator.ErrStopping) {
		return
	}
	a.log.ErrorContext(ctx, "reading a task's events", "task_id", taskID, "error", err, "correlation_id", authmin.CorrelationID(ctx))
}

// data sends an event of the OpenAI dialect: no name, no id.
func (s *sse) data(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding chunk: %w", err)
	}
	return s.chunk(text, nil, nil)
}

// chunk sends a chunk of the OpenAI dialect that is there in three parts.
func (s *sse) chunk(before, text, after []byte) error {
	s.piece = append(append(s.piece[:0], "data: "...), before...)
	s.piece = append(append(append(s.piece, text...), after...), "\n\n"...)
	return s.write(s.piece)
}
