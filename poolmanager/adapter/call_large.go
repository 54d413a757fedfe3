package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin/jsonbody"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxWhole is how much of an answer in one piece is read before any of it is sent. A
// larger one is sent while it comes, so that a call takes a few pieces of memory.
const maxWhole = 256 << 10

// judgedMembers are those by which a whole answer is judged, but for its choices.
var judgedMembers = []string{
	"usage", "error", "object", "type", "id", "status", "store", "stop_reason", "input_tokens", "done", "done_reason", "prompt_eval_count", "eval_count",
}

// largeReader sends an answer that is one JSON object while it comes. What it cannot
// say before is an error after the first byte: that the answer is cut, or one.
type largeReader struct {
	*callReader
	scan *jsonbody.Scanner
	held []byte // of the answer, not sent
	sent int64  // of the answer
	out  []byte // the same as the client gets it
}

func (r *callReader) readLarge(ctx context.Context, begin []byte, rest io.Reader) error {
	l := &largeReader{callReader: r, scan: jsonbody.New(jsonbody.Options{
		Watch: slices.Concat(models, judgedMembers),
		String: func(path []string, text string) error {
			if strings.Join(path, ".") == "choices.finish_reason" {
				r.finished(text)
			}
			return nil
		},
	})}
	if err := l.take(begin); err != nil {
		return err
	}
	piece := make([]byte, nodeapi.MaxPieceBytes)
	for {
		n, err := rest.Read(piece)
		if n > 0 {
			if err := l.take(piece[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return l.end()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return r.reset(err)
		}
	}
}

// take reads the next bytes and sends what is known not to change.
func (l *largeReader) take(text []byte) error {
	l.held = append(l.held, text...)
	if l.sent+int64(len(l.held)) > int64(l.call.MaxAnswer) {
		return l.tooLarge()
	}
	if _, err := l.scan.Write(text); err != nil {
		return l.fail("the engine's answer is not JSON: " + err.Error())
	}
	return l.pass(l.scan.Safe())
}

// pass moves what is before an offset of the answer to the client.
func (l *largeReader) pass(safe int64) error {
	var edits []edit
	for _, path := range models {
		m, ok := l.scan.Member(path)
		if ok && l.model != nil && m.Kind == jsonbody.String && m.Start >= l.sent && m.End <= safe {
			edits = append(edits, edit{int(m.Start - l.sent), int(m.End - l.sent), l.model})
		}
	}
	n := safe - l.sent
	l.out = apply(l.out, l.held[:n], inOrder(edits))
	l.held = l.held[:copy(l.held, l.held[n:])]
	l.sent = safe
	for len(l.out) > nodeapi.MaxPieceBytes { // the last piece goes with the end
		at := piece(l.out)
		if err := l.send(nodeapi.FrameData, nodeapi.FrameData, l.out[:at], true, false); err != nil {
			return err
		}
		l.out = l.out[:copy(l.out, l.out[at:])]
	}
	return nil
}

// end judges the answer and keeps its last piece for the end.
func (l *largeReader) end() error {
	if err := l.scan.Close(); err != nil {
		return l.reset(err)
	}
	if err := l.pass(l.sent + int64(len(l.held))); err != nil {
		return err
	}
	judged := []byte("{")
	for _, name := range judgedMembers {
		if m, ok := l.scan.Member(name); ok && !m.Truncated {
			if len(judged) > 1 {
				judged = append(judged, ',')
			}
			judged = append(append(append(append(judged, '"'), name...), `":`...), m.Raw...)
		}
	}
	if err := l.judgeWhole(append(judged, '}')); err != nil {
		return err
	}
	return l.send(nodeapi.FrameData, nodeapi.FrameData, l.out, true, true)
}

func (r *callReader) tooLarge() error {
	return r.fail(fmt.Sprintf("the engine's answer is larger than %d bytes", r.call.MaxAnswer))
}

// isObject reports whether a text begins as an object of JSON.
func isObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}
