package adapter

import (
	"bytes"
	"io"
	"time"
)

// foreignWait bounds the wait for the rest of an answer that is no event stream;
// mostly it is there already.
const foreignWait = time.Second

// foreign is the failure of an engine that sent something else than events: whole
// JSON, an error object, an HTML page of a proxy, before the stream or in its
// middle. It tells the content type and the words. The engine's answer to this task
// will not be another one, so it is nothing to try again.
func (r *reader) foreign(line []byte) error {
	if r.last && r.begun && beginsField(line) {
		return errMidLine
	}
	text, cut := r.rest(line)
	if r.begun {
		return r.failed("the engine's stream has something else than events in its middle: " + r.target.message(text, cut))
	}
	return r.failed("the engine answered a request for a stream with " + kind(r.kind) + ": " + r.target.message(text, cut))
}

// beginsField reports whether a line that was cut could have become an event's.
func beginsField(line []byte) bool {
	for _, field := range []string{"data:", "event:", "error:", "retry:", "id:"} {
		if bytes.HasPrefix([]byte(field), line) {
			return true
		}
	}
	return false
}

// rest reads on, within bounds, from a line that is of no event.
func (r *reader) rest(line []byte) (text []byte, cut bool) {
	if closer, ok := r.body.(io.Closer); ok {
		timer := time.AfterFunc(foreignWait, func() { _ = closer.Close() })
		defer timer.Stop()
	}
	text = bytes.Clone(line)
	for len(text) < maxErrorBytes && r.lines.Scan() {
		text = append(append(text, '\n'), r.lines.Bytes()...)
	}
	cut = len(text) >= maxErrorBytes || r.lines.Err() != nil
	return text[:min(len(text), maxErrorBytes)], cut
}
