package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
)

// sse writes the events of a task, or the chunks of a call. A client that does not
// read is cut, and may resume.
type sse struct {
	*backend.Stream
	piece []byte // what is sent now; no longer than the longest event
}

func newSSE(w http.ResponseWriter, patience time.Duration) *sse {
	return &sse{Stream: backend.NewStream(w, patience)}
}

func (s *sse) event(ev orchestrator.Event) error {
	s.piece = strconv.AppendUint(append(s.piece[:0], "id: "...), ev.ID, 10)
	kind, data := ev.Type, ev.Data
	if kind.Raw() {
		kind, data = orchestrator.EventChunk, chunkData(ev)
	}
	s.piece = append(append(append(s.piece, "\nevent: "...), kind...), "\ndata: "...)
	s.piece = append(append(s.piece, data...), "\n\n"...)
	return s.Write(s.piece)
}

// count counts a reader that was cut because it did not read.
func (s *sse) count(reader *orchestrator.Reader) {
	if errors.Is(s.Err(), os.ErrDeadlineExceeded) {
		reader.Cut()
	}
}

// follow copies a task's events until the last, or until the client leaves, and
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
			if err := s.Alive(); err != nil {
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

// unreadable logs why a task's events could not be read to their end, except for
// ordinary causes: the end itself, a client that has disconnected, a stop.
func (a *API) unreadable(ctx context.Context, taskID string, err error) {
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, orchestrator.ErrStopping) {
		return
	}
	a.log.ErrorContext(ctx, "reading a task's events", "task_id", taskID, "error", err, "correlation_id", authmin.CorrelationID(ctx))
}
