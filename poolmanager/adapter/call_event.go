package adapter

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// verdict is what an event is.
type verdict struct {
	text  bool // it has something of the answer: progress, and counted
	comes bool // it is progress without being counted
	plain bool // and nothing besides: one that differs in its text means the same
	drop  bool // the client did not ask for it
	last  bool // the proper end
}

// event sends one event, or says why the call ends with it.
func (r *callReader) event(name, data []byte) error {
	if like, err := r.sendLike(name, data); like {
		return err
	}
	if len(name) == 0 && bytes.Equal(bytes.TrimSpace(data), []byte("[DONE]")) {
		return r.doneWord()
	}
	edits, object := r.scanned(data)
	switch {
	case !object && r.lines.cut:
		return errMidLine
	case !object && utf8.Valid(data) && json.Valid(data):
		return r.fail("the engine sent JSON that is no event of an answer: " + r.target.words(data, false))
	case !object || !utf8.Valid(name):
		return r.fail("the engine sent an event that is not JSON: " + r.target.words(data, false))
	}
	v, err := r.judge(string(name), data)
	switch {
	case err != nil:
		return err
	case v.text:
		r.pieces++
	}
	if v.drop {
		return nil
	}
	if v.text && v.plain {
		r.shapes.learn(name, data, edits)
	}
	if len(edits) > 0 {
		r.edited = apply(r.edited[:0], data, edits)
		data = r.edited
	}
	r.beginEvent(name)
	first, more, several := bytes.Cut(data, []byte("\n"))
	r.payload = append(append(r.payload, first...), '\n')
	for several { // a line feed is white space between members
		first, more, several = bytes.Cut(more, []byte("\n"))
		r.payload = append(append(append(r.payload, "data: "...), first...), '\n')
	}
	return r.sendEvent(v)
}

// sendLike sends an event of a known shape; false for any other. It is one frame:
// what is longer is read like an unknown one.
func (r *callReader) sendLike(name, data []byte) (like bool, err error) {
	if len(r.shapes.all) == 0 || !r.opened || len(data)+maxShape+len(name) > nodeapi.MaxPieceBytes {
		return false, nil
	}
	began := len(r.frames)
	frames := r.appendHead(nodeapi.BeginFrame(r.frames, nodeapi.FrameData), name)
	if frames, like = r.shapes.match(frames, name, data); !like {
		return false, nil
	}
	if frames = append(frames, '\n'); r.head.ContentType == mediaEvents {
		frames = append(frames, '\n')
	}
	r.frames = frames
	r.pieces++
	r.end.Bytes += int64(len(frames) - began - nodeapi.FrameHeaderBytes)
	if err := nodeapi.EndFrame(frames, began); err != nil {
		return true, err
	}
	return true, r.deliver(true)
}

// doneWord is [DONE]: the proper end of two of the protocols, and no event of others.
func (r *callReader) doneWord() error {
	if p := r.call.Operation.Protocol; p != nodeapi.Chat && p != nodeapi.Completions {
		return nil
	}
	if !r.ended && r.pieces == 0 {
		return r.fail("the engine sent [DONE] without an answer before it")
	}
	r.beginEvent(nil)
	r.payload = append(r.payload, "[DONE]\n"...)
	return r.sendEvent(verdict{last: true})
}

// beginEvent begins the event that the client gets, as far as its data.
func (r *callReader) beginEvent(name []byte) {
	if cap(r.payload) > maxKept {
		r.payload = nil
	}
	r.payload = r.appendHead(r.payload[:0], name)
}

// appendHead appends what is before an event's data.
func (r *callReader) appendHead(dst, name []byte) []byte {
	if r.head.ContentType != mediaEvents {
		return dst
	}
	if len(name) > 0 {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	return append(dst, dataField...)
}

// sendEvent ends the event that the client gets, and sends it.
func (r *callReader) sendEvent(v verdict) error {
	if r.head.ContentType == mediaEvents {
		r.payload = append(r.payload, '\n')
	}
	kind := nodeapi.FrameData
	if v.last {
		r.done, kind = true, nodeapi.FrameLast
	}
	return r.send(nodeapi.FramePart, kind, r.payload, v.text || v.comes, v.last)
}

// judge reads an event by its protocol.
func (r *callReader) judge(name string, data []byte) (verdict, error) {
	switch r.call.Operation.Protocol {
	case nodeapi.Responses:
		return r.judgeResponses(name, data)
	case nodeapi.Messages:
		return r.judgeMessages(name, data)
	case nodeapi.Ollama:
		return r.judgeOllama(data)
	}
	return r.judgeOpenAI(name, data)
}
