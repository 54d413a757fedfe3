package adapter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/llorch/gateway/authmin/jsonbody"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// callReader turns an engine's answer to a native call into frames. Each event is sent
// as it is but for the model's name and usage that the client did not ask for. What
// does not end as its protocol says is an error, never a proper end.
type callReader struct {
	call     Call
	target   Target
	kind     string // the answer's content type, for errors
	head     nodeapi.CallHead
	progress *progress
	emit     Emit
	hangUp   func() // ends the reading of the answer
	model    []byte // what the answer calls the model, as JSON; nil: as the engine does

	lines   *lineReader
	name    []byte // of the event that is being read
	data    []byte // and its lines of data, with line feeds between them
	has     bool   // it has data
	begun   bool   // an event has come
	frames  []byte
	payload []byte
	edited  []byte
	opened  bool // the head was sent
	done    bool // the proper end came

	scan   *jsonbody.Scanner
	shapes shapes
	end    nodeapi.CallEnd
	usage  usage
	pieces int       // events that have something of the answer
	first  time.Time // when the first of them came
	failed string    // the finish reason, if it is not in the list of successes
	ended  bool      // the engine said how the answer ended
}

// answer is the result so far.
func (r *callReader) answer() Answer {
	r.usage.into(&r.end)
	if r.end.TokensOut == 0 && r.pieces > 0 {
		r.end.TokensOut, r.end.Estimated = r.pieces, true
	}
	if r.first.IsZero() {
		r.first = time.Now()
	}
	r.end.DecodeMS = time.Since(r.first).Milliseconds()
	r.end.Succeeded = r.failed == ""
	if r.failed != "" {
		r.end.FinishReason = r.failed
	}
	return Answer{End: r.end, Rest: r.frames}
}

func (r *callReader) readStream(ctx context.Context, body io.Reader) error {
	r.lines = newLineReader(body, r.call.MaxAnswer)
	read := r.readEvents
	switch kind := media(r.kind); {
	case r.call.Operation.Protocol == nodeapi.Ollama && (kind == mediaLines || isJSON(r.kind) || r.kind == ""): // what loads a model alone is answered as JSON: one line
		r.head.ContentType = mediaLines
		read = r.readNDJSON
	case r.call.Operation.Protocol != nodeapi.Ollama && (kind == mediaEvents || r.kind == ""):
		r.head.ContentType = mediaEvents
	default:
		read = r.readForeign
	}
	err := read()
	switch {
	case err == nil || r.done:
		return err
	case errors.Is(err, io.EOF) && r.begun && r.ended:
		return r.reset(errNoDone)
	case errors.Is(err, io.EOF) && !r.begun:
		return r.fail("the engine answered a request for a stream with " + kind(r.kind) + " that is empty")
	case errors.Is(err, io.EOF):
		return r.reset(errNoEnd)
	case errors.Is(err, errTooLong):
		return r.fail(err.Error())
	}
	_, told := errors.AsType[*Error](err)
	_, emitted := errors.AsType[*emitError](err)
	if told || emitted || ctx.Err() != nil {
		return err
	}
	return r.reset(err)
}

func (r *callReader) fail(message string) error {
	return &Error{Class: ClassFailed, Message: message}
}

func (r *callReader) reset(err error) error {
	return &Error{Class: ClassReset, Message: "the engine's stream broke: " + r.target.words([]byte(err.Error()), false)}
}

// readNDJSON reads lines that are events each.
func (r *callReader) readNDJSON() error {
	for !r.done {
		line, err := r.lines.next()
		switch {
		case err != nil:
			return err
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		r.begun = true
		if err := r.event(nil, line); err != nil {
			return err
		}
	}
	return nil
}

// readEvents reads the event stream format of WHATWG's HTML, section 9.2.6. An event
// ends with an empty line; the last one may end with the stream.
func (r *callReader) readEvents() error {
	for !r.done {
		line, err := r.lines.next()
		if errors.Is(err, io.EOF) && r.has {
			if err := r.dispatch(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if err := r.dispatch(); err != nil {
				return err
			}
			continue
		}
		if data, ok := bytes.CutPrefix(line, dataField); ok && !r.has && r.begun && r.lines.emptyNext() {
			err = r.one(data)
		} else {
			err = r.field(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// field reads one line of an event. A line without a field of the format means that the
// answer is not a stream, but an error object or the page of a proxy, for example.
func (r *callReader) field(line []byte) error {
	if !r.begun {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if r.has {
			r.data = append(r.data, '\n')
		}
		if len(r.data)+len(value) > r.call.MaxAnswer {
			return errTooLong
		}
		r.data, r.has = append(r.data, value...), true
	case "event":
		r.name = append(r.name[:0], value...)
	case "", "id", "retry":
	case "error": // llama.cpp before 2025
		return r.said(value)
	default:
		if r.lines.cut && r.begun && beginsField(line) {
			return errMidLine
		}
		return r.foreign(line)
	}
	return nil
}

var dataField = []byte("data: ")

// one is an event whose data is one line, as nearly all are; it is not copied.
func (r *callReader) one(data []byte) error {
	name := r.name
	r.name = r.name[:0]
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	return r.event(name, data)
}

// dispatch ends an event.
func (r *callReader) dispatch() error {
	name, data := r.name, r.data
	r.name, r.data, r.has = r.name[:0], r.data[:0], false
	if cap(r.data) > maxKept {
		r.data = nil
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil // the format's own rule: it is no event
	}
	r.begun = true
	return r.event(name, data)
}

// readForeign reads an answer with another content type than the protocol's streams have.
// Clients of the protocol would not read it.
func (r *callReader) readForeign() error {
	line, err := r.lines.next()
	if err != nil {
		return err
	}
	return r.foreign(line)
}

// foreign is the failure of an engine that sent something else than events.
func (r *callReader) foreign(line []byte) error {
	timer := time.AfterFunc(foreignWait, r.hangUp)
	defer timer.Stop()
	text := bytes.Clone(line)
	for len(text) < maxErrorBytes {
		more, err := r.lines.next()
		if err != nil {
			break
		}
		text = append(append(text, '\n'), more...)
	}
	said := r.target.message(text[:min(len(text), maxErrorBytes)], len(text) > maxErrorBytes)
	if r.begun {
		return r.fail("the engine's stream has something else than events in its middle: " + said)
	}
	failed := r.said(text)
	failed.Message = "the engine answered a request for a stream with " + kind(r.kind) + ": " + said
	return failed
}
