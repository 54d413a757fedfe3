package usage

import (
	"bytes"
	"unicode/utf8"
)

// maxShape bounds an event that is remembered; those with text have a few hundred bytes.
const maxShape = 4 << 10

// shape is the last event with a text, in two parts around it. Most events of a stream
// differ in their text alone. A JSON object in which only the text of a string differs,
// and the string is none that is of interest, has the same meaning: it needs not be read
// again.
type shape struct {
	event []byte // reused
	hole  int    // where the text is in the event; 0 for none
}

// match returns the size of an event that differs from the last one in its text alone, and
// has one; 0 for any other.
func (s *shape) match(p []byte) int {
	if s.hole == 0 || !bytes.HasPrefix(p, s.event[:s.hole]) {
		return 0
	}
	end := s.hole + textSize(p[s.hole:])
	if end <= s.hole || !bytes.HasPrefix(p[end:], s.event[s.hole:]) {
		return 0
	}
	return end + len(s.event) - s.hole
}

// textSize is how many bytes are before the quote that ends a string; -1 if it does not
// end, is not valid, or has an escape by number.
func textSize(p []byte) int {
	ascii := true
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '"':
			if !ascii && !utf8.Valid(p[:i]) {
				return -1
			}
			return i
		case c < ' ':
			return -1
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '\\':
			if i++; i == len(p) || bytes.IndexByte([]byte(`"\/bfnrt`), p[i]) < 0 {
				return -1
			}
		}
	}
	return -1
}

// learn remembers a whole event with one line of data, whose object begins at an index and
// has been read, if it has text: the last one is the hole.
func (s *shape) learn(event []byte, object int, of *Scanner) {
	s.hole = 0
	if len(event) > maxShape || object < 0 || of.failed || bytes.IndexByte(event, '\r') >= 0 || !of.hasText() || of.object.Close() != nil {
		return
	}
	start, end := of.object.LastCounted()
	s.event = append(append(s.event[:0], event[:object+int(start)]...), event[object+int(end):]...)
	s.hole = object + int(start)
}
