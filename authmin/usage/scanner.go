package usage

import (
	"errors"
	"mime"
	"strings"
	"sync"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// A form is how an answer is divided into JSON objects.
type form uint8

const (
	unknown form = iota // not read
	whole               // one object
	lines               // one in each line
	events              // one in the data of each event
)

// formOf is the form of an answer with a Content-Type.
func formOf(contentType string) form {
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter):
		return unknown
	case kind == "text/event-stream":
		return events
	case kind == "application/x-ndjson", kind == "application/ndjson", kind == "application/jsonl":
		return lines
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		return whole
	}
	return unknown
}

// A Scanner reads the figures of one answer while its bytes pass. It is not safe for
// concurrent use.
type Scanner struct {
	form     form
	object   *jsonbody.Scanner // of the form's objects; nil for an unknown form
	line     line
	shape    shape
	streamed bool
	begun    bool // the object
	failed   bool // the object cannot be read: the rest of it is skipped
	counts
	texts int64 // events that carried text
}

// objects are scanners between two answers.
var objects = func() *sync.Pool {
	first := jsonbody.New(options())
	return &sync.Pool{New: func() any { return first.Copy() }}
}()

// NewScanner returns a Scanner for an answer with this Content-Type. It reads nothing of
// an answer of another type than those of the package comment, which is unreported.
func NewScanner(contentType string) *Scanner {
	s := &Scanner{form: formOf(contentType)}
	s.streamed = s.form == events || s.form == lines
	if s.form != unknown {
		s.object = objects.Get().(*jsonbody.Scanner)
	}
	return s
}

// Write implements [io.Writer]. It takes all of p, and never fails.
func (s *Scanner) Write(p []byte) (int, error) {
	for at := 0; at < len(p); {
		n, _ := s.Event(p[at:])
		at += n
	}
	return len(p), nil
}

// Event reads as much of p as belongs to the event or line that is being read: n bytes. It
// reports whether these are its last ones, after which another event could be put into the
// stream. An answer of another form has no events.
func (s *Scanner) Event(p []byte) (n int, ended bool) {
	switch s.form {
	case lines:
		return s.readLine(p)
	case events:
		return s.readEvent(p)
	case whole:
		s.add(p)
	}
	return len(p), false
}

// Streamed reports whether the answer is one of events or lines.
func (s *Scanner) Streamed() bool { return s.streamed }

// Close reads what has no end of its own: a whole object, and a last line or event without
// a line end. What is written after it is not read.
func (s *Scanner) Close() {
	if s.object != nil {
		s.end()
		objects.Put(s.object)
		s.form, s.object = unknown, nil
	}
}

// Figures returns what the answer has reported so far.
func (s *Scanner) Figures() Figures { return s.counts.figures() }

// Seen is a lower estimate of the output tokens so far: the larger of the reported output
// and the number of events or lines with text. It is 0 for a whole object until Close.
func (s *Scanner) Seen() int64 {
	if s.bad {
		return s.texts
	}
	return max(s.output, s.texts)
}

// Texts is the number of events or lines with text so far, which no figure moves.
func (s *Scanner) Texts() int64 { return s.texts }

// add reads a part of an object.
func (s *Scanner) add(p []byte) {
	if len(p) == 0 || s.failed {
		return
	}
	s.begun = true
	_, err := s.object.Write(p)
	s.failed = err != nil
}

// end ends an object, and begins another.
func (s *Scanner) end() {
	if !s.begun {
		return
	}
	err := s.object.Close()
	if refused, ok := errors.AsType[*jsonbody.Error](err); ok {
		s.bad = s.bad || refused.Code == jsonbody.Ambiguous || refused.Code == jsonbody.TooDeep
	} else if s.take(s.object); s.hasText() {
		s.texts++
	}
	s.object.Reset()
	s.begun, s.failed = false, false
}
