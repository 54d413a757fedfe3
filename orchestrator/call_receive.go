package orchestrator

import (
	"context"
	"errors"
	"io"

	"github.com/llorch/gateway/authmin/jsonbody"
)

const (
	// TaskBytes is up to which size a task is read at once, and how much there may be
	// beside native.body in a larger one.
	TaskBytes = 1 << 20
	// splitBytes is how a larger one is read.
	splitBytes = 64 << 10
	// nativeBody is the member whose value is not read at once.
	nativeBody = "native.body"
)

// Received is the value of native.body that arrived, and was stored, before its task was
// judged.
type Received struct {
	reading *reading
	taken   bool // a task has it, or nothing is left of it
}

// Discard removes it, unless a task has it.
func (b *Received) Discard(ctx context.Context) {
	if b != nil && !b.taken {
		b.taken = true
		b.reading.drop(ctx)
	}
}

// ReceiveTask reads the JSON of a task that is too large to be read at once. The value
// of native.body is stored as it comes, byte for byte; rest is the JSON with {} in its
// place. Give what was received to [NativeRequest.Use], and discard it in any case
// afterwards. It is nil without native.body. After an error nothing is left
// behind. An error of the document is returned as it is.
func (o *Orchestrator) ReceiveTask(ctx context.Context, who Who, document io.Reader) (rest []byte, native *Received, err error) {
	if o.lifecycle.stopping.Load() {
		return nil, nil, stopping()
	}
	defer func() {
		if err != nil {
			native.Discard(ctx)
			native = nil
		}
	}()
	// A body may be nested as deeply as on the routes of its protocol.
	s := &splitter{from: document, buffer: make([]byte, splitBytes),
		scan: jsonbody.New(jsonbody.Options{Watch: []string{nativeBody}, MaxDepth: jsonbody.DefaultMaxDepth + 2})}
	for !s.begun && !s.ended {
		if err := s.next(); err != nil {
			return nil, nil, err
		}
	}
	if s.begun {
		// Its protocol may come after it.
		r, err := o.readBody(ctx, who, "", s)
		if err != nil {
			return nil, nil, err
		}
		native = &Received{reading: r}
	}
	for !s.ended {
		if err := s.next(); err != nil {
			return nil, native, err
		}
	}
	return s.rest, native, nil
}

// splitter reads a document once and parts the value of native.body from the rest. Its
// Read gives that value.
type splitter struct {
	from   io.Reader
	scan   *jsonbody.Scanner
	buffer []byte
	off    int64  // of what comes next
	value  []byte // what of the buffer is to be given to Read
	rest   []byte
	begun  bool // the value has begun
	over   bool // the value has ended
	ended  bool // the document has
}

// Read is io.Reader.
func (s *splitter) Read(p []byte) (int, error) {
	for len(s.value) == 0 {
		if s.over {
			return 0, io.EOF
		}
		if s.ended {
			return 0, io.ErrUnexpectedEOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.value)
	s.value = s.value[n:]
	return n, nil
}

// next reads some bytes of the document.
func (s *splitter) next() error {
	n, err := s.from.Read(s.buffer)
	piece, at := s.buffer[:n], s.off
	if _, bad := s.scan.Write(piece); bad != nil {
		return badBody(bad)
	}
	s.off += int64(n)
	start, end := s.place()
	inPiece := func(offset int64) int64 { return min(max(offset-at, 0), int64(n)) }
	s.rest = append(s.rest, piece[:inPiece(start)]...)
	if !s.begun && start < s.off {
		s.begun = true
		s.rest = append(s.rest, "{}"...)
	}
	s.value = piece[inPiece(start):inPiece(end)]
	s.rest = append(s.rest, piece[inPiece(end):]...)
	if len(s.rest) > TaskBytes {
		return fail(TooLarge, "BODY_TOO_LARGE", "send at most %d bytes beside native.body", TaskBytes)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	s.ended = true
	if bad := s.scan.Close(); bad != nil {
		return badBody(bad)
	}
	return nil
}

// place is where in the document the value is, as far as it was read. The scan holds
// back bytes of no other.
func (s *splitter) place() (start, end int64) {
	if m, ok := s.scan.Member(nativeBody); ok {
		s.over = true
		return m.Start, m.End
	}
	return s.scan.Safe(), s.off
}
