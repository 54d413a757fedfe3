package nodeapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxLineBytes bounds one line of a stream. A token is a few bytes, the
// longest embedding about 200 KiB; an engine that answers without streaming sends
// its whole text as one, and 1 MiB is the limit of a request body as well.
const maxLineBytes = 1 << 20

// ErrLineTooLong says that the other side sent a line over 1 MiB.
var ErrLineTooLong = errors.New("a line of the stream is over 1 MiB")

// ErrForeign says that the other side sent invalid data: HTML, JSON that does not
// parse, data without an event name. The rest of the stream must not be used.
var ErrForeign = errors.New("the stream has invalid data")

// Stream is the events of one dispatched task. It is for one goroutine; the
// context given to Dispatch, or Close, ends it from another.
type Stream struct {
	ctx   context.Context
	body  io.ReadCloser
	lines *bufio.Reader
	done  bool
}

func newStream(ctx context.Context, body io.ReadCloser) *Stream {
	return &Stream{ctx: ctx, body: body, lines: bufio.NewReaderSize(body, 4096)}
}

// Next gives the next event. After an end or error event it gives io.EOF. A
// stream that stops before is io.ErrUnexpectedEOF, unless the context ended it.
func (s *Stream) Next() (Event, error) {
	if s.done {
		return Event{}, io.EOF
	}
	var kind string
	var data []byte
	for {
		line, err := s.line()
		if err != nil {
			return Event{}, s.failure(err)
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			kind = string(value)
		case "data":
			data = append(data[:0], value...)
		case "", "id", "retry": // an empty line, a comment, and what the format has besides
		default:
			return Event{}, fmt.Errorf("%w: a line without a field name", ErrForeign)
		}
		if len(line) > 0 {
			continue
		}
		if kind == "" && len(data) > 0 {
			return Event{}, fmt.Errorf("%w: data without a name", ErrForeign)
		}
		event, known, err := decodeEvent(kind, data)
		if err != nil {
			return Event{}, fmt.Errorf("%w: %w", ErrForeign, err)
		}
		if known {
			s.done = event.Type.Last()
			return event, nil
		}
		kind, data = "", data[:0]
	}
}

// line reads one line without its end, in bounded memory.
func (s *Stream) line() ([]byte, error) {
	var long []byte
	for {
		part, err := s.lines.ReadSlice('\n')
		if err == nil && long == nil {
			return bytes.TrimRight(part, "\r\n"), nil
		}
		if len(long)+len(part) > maxLineBytes {
			return nil, ErrLineTooLong
		}
		long = append(long, part...)
		if err == nil {
			return bytes.TrimRight(long, "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

func (s *Stream) failure(err error) error {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		return fmt.Errorf("reading the task's stream: %w", ctxErr)
	}
	if errors.Is(err, ErrLineTooLong) {
		return err
	}
	return broken("task", "event", err)
}

// drainLimit and maxDrained bound the wait for the other side to close a stream
// after its last event: it does so within microseconds, or not at all.
const (
	drainLimit = 20 * time.Millisecond
	maxDrained = 4 << 10
)

// Close hangs up, which cancels the task in the engine if it still runs. After
// the last event the connection is kept for the next call.
func (s *Stream) Close() error {
	if s.done {
		timer := time.AfterFunc(drainLimit, func() { s.body.Close() })
		defer timer.Stop()
		// An error, or more than that, costs only the connection.
		_, _ = io.CopyN(io.Discard, s.lines, maxDrained)
	}
	s.done = true
	return s.body.Close()
}
