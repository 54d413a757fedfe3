package adapter

import (
	"time"
	"unicode/utf8"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxKept is how large a buffer may be that is kept for the next event.
const maxKept = 1 << 20

// piece is where a text is cut that is longer than a frame may be: before a rune.
func piece(text []byte) int {
	if len(text) <= nodeapi.MaxPieceBytes {
		return len(text)
	}
	at := nodeapi.MaxPieceBytes
	for at > nodeapi.MaxPieceBytes-utf8.UTFMax && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}

// send gives a payload to the receiver: part for all of its pieces but the last, which
// is of kind last. The head goes before the first of all. The last piece of a call is
// held: it goes with the end.
func (r *callReader) send(part, last nodeapi.FrameKind, payload []byte, progress, held bool) error {
	for {
		if err := r.open(); err != nil {
			return err
		}
		at := piece(payload)
		kind := part
		if at == len(payload) {
			kind = last
		}
		var err error
		if r.frames, err = nodeapi.AppendFrame(r.frames, kind, payload[:at]); err != nil {
			return err
		}
		r.end.Bytes += int64(at)
		if payload = payload[at:]; len(payload) == 0 && held {
			return nil
		}
		if err := r.deliver(progress); err != nil || len(payload) == 0 {
			return err
		}
	}
}

// open begins the frames with the head, once.
func (r *callReader) open() (err error) {
	if !r.opened {
		r.opened = true
		r.frames, err = nodeapi.AppendJSONFrame(r.frames, nodeapi.FrameHead, r.head)
	}
	return err
}

// deliver hands the frames over.
func (r *callReader) deliver(progress bool) error {
	frames := r.frames
	if r.frames = r.frames[:0]; cap(frames) > maxKept {
		r.frames = nil
	}
	send := func() error {
		if err := r.emit(frames, progress); err != nil {
			return &emitError{err}
		}
		return nil
	}
	if !progress {
		return r.progress.pass(send)
	}
	if r.first.IsZero() {
		r.first = time.Now()
	}
	return r.progress.deliver(send)
}
