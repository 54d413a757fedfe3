package poolmanager

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// usageOn and usageMember are what asks a streamed chat or completion for its usage.
const (
	usageOn     = "true"
	usageMember = `"include_usage":true`
	usageObject = `"stream_options":{` + usageMember + `}`
)

// bodyEdit replaces the bytes [start, end) of a body. It is known when the body begins
// how long the new bytes are; what they are may depend on those that they stand before.
type bodyEdit struct {
	start, end int64
	by         []byte
	options    bool // of stream_options, which may be an object or null
}

// editsOf is what is changed in a request: the model's name, and the usage if it is
// wanted.
func editsOf(p nodeapi.Places, model string, usage bool) []bodyEdit {
	var all []bodyEdit
	if p.Model[1] > 0 && model != "" {
		all = append(all, bodyEdit{start: p.Model[0], end: p.Model[1], by: jsonText(model)})
	}
	switch {
	case !usage || p.Model[1] == 0:
	case p.Usage[1] > 0:
		all = append(all, bodyEdit{start: p.Usage[0], end: p.Usage[1], by: []byte(usageOn)})
	case p.Options[1] > 0:
		all = append(all, bodyEdit{start: p.Options[0], end: p.Options[1], options: true})
	default: // the model follows, so there is a member that the comma is for
		all = append(all, bodyEdit{start: p.Opened, end: p.Opened, by: []byte(usageObject + ",")})
	}
	slices.SortStableFunc(all, func(a, b bodyEdit) int { return int(min(max(a.start-b.start, -1), 1)) })
	return all
}

// optionsGrow is by how much stream_options becomes longer, whatever it is: JSON allows
// blanks where nothing is needed, and so the length of a request is known at once.
const optionsGrow = int64(len(usageMember) + 1)

// growth is by how much a body becomes longer.
func growth(edits []bodyEdit) (n int64) {
	for _, e := range edits {
		if e.options {
			n += optionsGrow
			continue
		}
		n += int64(len(e.by)) - (e.end - e.start)
	}
	return n
}

// jsonText is a text as JSON.
func jsonText(text string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil { // a text always is JSON
		return []byte(`""`)
	}
	return bytes.TrimSpace(out.Bytes())
}

// editor changes a body while it passes.
type editor struct {
	edits []bodyEdit
	at    int64 // the offset of the next byte
	open  int   // within the options: 1 after their brace, until the next member or the end of it is seen
}

// pass appends a piece of the body as it is sent.
func (e *editor) pass(dst, piece []byte) []byte {
	for len(piece) > 0 {
		if e.open == 1 {
			dst, piece = e.separate(dst, piece)
			continue
		}
		if len(e.edits) == 0 {
			e.at += int64(len(piece))
			return append(dst, piece...)
		}
		next := &e.edits[0]
		if skip := next.start - e.at; skip > 0 {
			n := min(skip, int64(len(piece)))
			dst, piece = append(dst, piece[:n]...), piece[n:]
			e.at += n
			continue
		}
		if next.options {
			dst, piece = e.options(dst, piece)
			continue
		}
		dst = append(dst, next.by...)
		next.by = nil // once, when its place comes in pieces
		n := min(next.end-e.at, int64(len(piece)))
		piece = piece[n:]
		if e.at += n; e.at >= next.end {
			e.edits = e.edits[1:]
		}
	}
	return dst
}

// options changes the first byte of stream_options: the member goes into an object, and
// an object with it in the place of null. The engine is to refuse what is neither.
func (e *editor) options(dst, piece []byte) ([]byte, []byte) {
	next := &e.edits[0]
	switch {
	case piece[0] == '{':
		e.edits, e.open = e.edits[1:], 1
		e.at++
		return append(append(dst, '{'), usageMember...), piece[1:]
	case piece[0] == 'n' && next.end-next.start == int64(len("null")):
		by := append([]byte("{"+usageMember), '}')
		for int64(len(by)) < int64(len("null"))+optionsGrow {
			by = append(by, ' ')
		}
		next.by, next.options = by, false
		return dst, piece
	}
	e.edits = e.edits[1:]
	return append(dst, bytes.Repeat([]byte(" "), int(optionsGrow))...), piece
}

// separate puts a comma before what follows the new member, or a blank before the end
// of its object.
func (e *editor) separate(dst, piece []byte) ([]byte, []byte) {
	c := piece[0]
	switch c {
	case ' ', '\t', '\r', '\n':
	case '}':
		dst, e.open = append(dst, ' '), 0
	default:
		dst, e.open = append(dst, ','), 0
	}
	e.at++
	return append(dst, c), piece[1:]
}
