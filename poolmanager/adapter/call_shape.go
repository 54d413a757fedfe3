package adapter

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

const (
	// maxShape bounds an event that is remembered; those with text have a few hundred
	// bytes.
	maxShape = 4 << 10
	// maxShapes is for engines that take turns between several answers to a request.
	maxShapes = 8
	// maxUnused is after how many remembered events in a row without one that was like
	// them a stream counts as one whose events are all different.
	maxUnused = 16
)

// hole is a place in an event where each has something else.
type hole byte

const (
	textHole   hole = iota // of a string, which is text of the answer
	stringHole             // of another string
	numberHole             // of a number without sign, point and exponent
)

// holes is the members that differ from one event to the next while all else is equal.
// They do not include members that say how the answer ends, or what kind of event it is.
var holes = map[string]hole{
	"content": textHole, "reasoning_content": textHole, "reasoning": textHole, "arguments": textHole, "text": textHole,
	"partial_json": textHole, "thinking": textHole, "delta": textHole, "response": textHole,
	"created_at": stringHole, "obfuscation": stringHole,
	"sequence_number": numberHole,
}

// shape is an event but for its holes. What was read once needs not be read again: a
// JSON text whose strings differ is the same document with other strings.
type shape struct {
	name  []byte
	in    [][]byte // what is around the holes, one more than them
	out   [][]byte // the same as it is sent
	holes []hole
}

// shapes is the last few.
type shapes struct {
	all    []*shape
	unused int
}

// match appends an event of a known shape as it is sent. ok is false for one of
// another, and for one without text.
func (s *shapes) match(dst, name, data []byte) (out []byte, ok bool) {
	for i, one := range s.all {
		if !bytes.Equal(one.name, name) || !bytes.HasPrefix(data, one.in[0]) {
			continue
		}
		if out, ok := one.match(dst, data); ok {
			if s.unused = 0; i > 0 {
				s.all[0], s.all[i] = one, s.all[0]
			}
			return out, true
		}
	}
	return dst, false
}

// match reads and writes at once; the first part of the data was compared already.
func (s *shape) match(dst, data []byte) ([]byte, bool) {
	began, at, text := len(dst), len(s.in[0]), false
	dst = append(dst, s.out[0]...)
	for i, hole := range s.holes {
		size := hole.size(data[at:])
		if size < 0 || !bytes.HasPrefix(data[at+size:], s.in[i+1]) {
			return dst[:began], false
		}
		text = text || hole == textHole && size > 0
		dst = append(append(dst, data[at:at+size]...), s.out[i+1]...)
		at += size + len(s.in[i+1])
	}
	if !text || at != len(data) {
		return dst[:began], false
	}
	return dst, true
}

// size is how much of a text fills the hole; -1 for what cannot be there.
func (h hole) size(text []byte) int {
	if h == numberHole {
		n := 0
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		if n == 0 || n > 1 && text[0] == '0' {
			return -1
		}
		return n
	}
	return stringSize(text)
}

// stringSize is how much of a text is before the quote that ends the string that it
// begins in; -1 when it does not end, or is not one of JSON.
func stringSize(text []byte) int {
	high := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if high && !utf8.Valid(text[:i]) {
				return -1
			}
			return i
		case c < ' ':
			return -1
		case c >= utf8.RuneSelf:
			high = true
		case c == '\\':
			n := escapeSize(text[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}

// escapeSize is the length of the escape that a text begins with; -1 for none of JSON's.
func escapeSize(text []byte) int {
	switch {
	case len(text) < 2:
		return -1
	case bytes.IndexByte([]byte(`"\/bfnrt`), text[1]) >= 0:
		return 2
	case text[1] != 'u' || len(text) < 6:
		return -1
	}
	for _, c := range text[2:6] {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return -1
		}
	}
	return 6
}

// learn remembers an event that says text and nothing else.
func (s *shapes) learn(name, data []byte, edits []edit) {
	if len(data) > maxShape || s.unused >= maxUnused || bytes.IndexByte(data, '\n') >= 0 {
		return
	}
	one := shapeOf(name, data, edits)
	if one == nil {
		return
	}
	s.unused++
	s.all = slices.Insert(s.all, 0, one)
	s.all = s.all[:min(len(s.all), maxShapes)]
}

// shapeOf makes the shape of a document; nil if it has no hole with text.
func shapeOf(name, data []byte, edits []edit) *shape {
	data = bytes.Clone(data)
	one := &shape{name: bytes.Clone(name)}
	at, text, ok := 0, false, true
	around := func(end int) {
		one.in = append(one.in, data[at:end])
		var inside []edit
		for _, e := range edits {
			switch {
			case e.start >= at && e.end <= end:
				inside = append(inside, edit{e.start - at, e.end - at, e.by})
			case e.start < end && e.end > at: // it reaches into a hole
				ok = false
				return
			}
		}
		one.out = append(one.out, apply(nil, data[at:end], inside))
	}
	walk(data, func(name string, start, end int) {
		kind, known := holes[name]
		if quote := data[start] == '"'; !known || !ok || quote == (kind == numberHole) {
			return
		} else if quote {
			start, end = start+1, end-1
		}
		if kind.size(data[start:]) != end-start {
			return
		}
		around(start)
		one.holes, at = append(one.holes, kind), end
		text = text || kind == textHole
	})
	around(len(data))
	if !text || !ok {
		return nil
	}
	return one
}

// walk calls visit with each string and number that is the value of a member, and
// where it is.
func walk(document []byte, visit func(name string, start, end int)) {
	type level struct {
		object bool
		name   string
		wants  bool // the value of name comes next
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var levels []level
	for {
		before := int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil {
			return
		}
		top := &level{}
		if len(levels) > 0 {
			top = &levels[len(levels)-1]
		}
		switch token := token.(type) {
		case json.Delim:
			if top.wants = false; token == '{' || token == '[' {
				levels = append(levels, level{object: token == '{'})
			} else {
				levels = levels[:len(levels)-1]
			}
		case string, json.Number:
			if text, ok := token.(string); ok && top.object && !top.wants {
				top.name, top.wants = text, true
				continue
			}
			start := before + bytes.IndexFunc(document[before:], func(c rune) bool { return c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ':' && c != ',' })
			if top.object {
				visit(top.name, start, int(decoder.InputOffset()))
			}
			top.wants = false
		default:
			top.wants = false
		}
	}
}
