package jsonbody

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A text is the string that is being read, and as much of it as is wanted.
type text struct {
	isName bool
	textAt int64  // offset of its opening quote
	limit  int    // how much is wanted
	head   []byte // unescaped
	cut    bool   // there was more
	hex    rune   // of \u
	digits int    // of hex
	high   rune   // the high surrogate before, or 0
	part   [utf8.UTFMax]byte
	parts  int
}

// keep adds unescaped bytes to the head, up to its limit.
func (t *text) keep(b []byte) {
	if t.limit == 0 {
		return
	}
	if room := t.limit - len(t.head); len(b) > room {
		b, t.cut = b[:room], true
	}
	t.head = append(t.head, b...)
}

// keepRune adds an unescaped character to the head.
func (t *text) keepRune(r rune) {
	if t.limit > 0 {
		var b [utf8.UTFMax]byte
		t.keep(b[:utf8.EncodeRune(b[:], r)])
	}
}

// whole returns at most 256 bytes of a head, without a character that was cut.
func whole(head []byte, cut bool) []byte {
	if len(head) > maxHead {
		head = head[:maxHead]
	} else if !cut {
		return head
	}
	last := len(head) - 1
	for last > 0 && !utf8.RuneStart(head[last]) {
		last--
	}
	if last >= 0 && !utf8.FullRune(head[last:]) {
		head = head[:last]
	}
	return head
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// skipPlain returns the index of the first byte from p[i] on that is a quote, a
// backslash, a control character or not ASCII. It looks at eight bytes at once:
// a byte's high bit in the sum is set by such a byte, or by a borrow from one
// before it, so that the lowest is right.
func skipPlain(p []byte, i int) int {
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		odd := x | (x - ' '*ones) | ((x ^ '"'*ones) - ones) | ((x ^ '\\'*ones) - ones)
		if odd &= highs; odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for i < len(p) && p[i] >= ' ' && p[i] < utf8.RuneSelf && p[i] != '"' && p[i] != '\\' {
		i++
	}
	return i
}

// startText begins the string whose opening quote is p[i]. One that is plain and
// ends in this piece, as nearly all do, is not copied.
func (s *Scanner) startText(p []byte, i int) (int, error) {
	s.textAt = s.off + int64(i)
	i++
	if end := skipPlain(p, i); end < len(p) && p[end] == '"' {
		return end + 1, s.endText(p, end+1, p[i:end], false)
	}
	s.head, s.cut, s.limit = s.head[:0], false, 0
	switch {
	case !s.isName && s.str != nil:
		s.limit = maxHead
	case s.isName && (s.str != nil || s.count != nil || s.stack[len(s.stack)-1].node != none):
		s.limit = s.longest
	}
	s.state = inText
	return s.readText(p, i)
}

// readText reads a string from p[i] on, to its end or to the end of the piece.
func (s *Scanner) readText(p []byte, i int) (int, error) {
	for {
		from := i
		i = skipPlain(p, i)
		for i < len(p) && p[i] >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(p[i:])
			if r == utf8.RuneError && n == 1 {
				if utf8.FullRune(p[i:]) {
					return s.fail(BadText, i, "invalid UTF-8 in a JSON string")
				}
				s.text.keep(p[from:i])
				s.parts, s.state = copy(s.part[:], p[i:]), inRune
				return len(p), nil
			}
			i = skipPlain(p, i+n)
		}
		s.text.keep(p[from:i])
		if i == len(p) {
			return i, nil
		}
		switch c := p[i]; {
		case c == '"':
			return i + 1, s.endText(p, i+1, s.head, s.cut)
		case c == 0:
			return s.fail(BadText, i, "NUL in a JSON string")
		case c != '\\':
			return s.fail(Syntax, i, "control character in a JSON string")
		}
		s.state = inEscape
		if i++; i == len(p) {
			return i, nil
		}
		var err error
		if i, err = s.readEscape(p, i); err != nil || s.state != inText {
			return i, err
		}
	}
}

// readRune adds p[i] to a character that was cut by the end of a Write.
func (s *Scanner) readRune(p []byte, i int) (int, error) {
	s.part[s.parts] = p[i]
	s.parts++
	part := s.part[:s.parts]
	if !utf8.FullRune(part) {
		return i + 1, nil
	}
	if r, n := utf8.DecodeRune(part); r == utf8.RuneError && n == 1 {
		return s.fail(BadText, i+1-s.parts, "invalid UTF-8 in a JSON string")
	}
	s.text.keep(part)
	s.state = inText
	return i + 1, nil
}

// unescaped are the characters that a backslash and one more byte stand for.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// readEscape reads the byte after a backslash.
func (s *Scanner) readEscape(p []byte, i int) (int, error) {
	if c := unescaped[p[i]]; c != 0 {
		s.keepRune(rune(c))
		s.state = inText
		return i + 1, nil
	}
	if p[i] != 'u' {
		return s.fail(Syntax, i, "unknown escape in a JSON string")
	}
	s.state, s.hex, s.digits, s.high = inHex, 0, 0, 0
	return s.readHex(p, i+1)
}

// readHex reads the four digits after \u.
func (s *Scanner) readHex(p []byte, i int) (int, error) {
	for ; i < len(p); i++ {
		c := rune(p[i])
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return s.fail(Syntax, i, "unknown escape in a JSON string")
		}
		s.hex = s.hex<<4 | c
		if s.digits++; s.digits == 4 {
			return s.endHex(i)
		}
	}
	return i, nil
}

// endHex judges the \u escape whose last digit is p[i]. A NUL ends a string for readers
// that are written in C: they would take a name, or a value that decides, for another one.
func (s *Scanner) endHex(i int) (int, error) {
	s.state = inText
	low := 0xDC00 <= s.hex && s.hex <= 0xDFFF
	switch {
	case s.hex == 0 && (s.isName || s.value != none):
		return s.fail(BadText, i, "escaped NUL in a member's name, or in a value that is read here; remove it")
	case low != (s.high != 0):
		return s.fail(BadText, i, "lone surrogate in a JSON string")
	case low:
		s.keepRune(utf16.DecodeRune(s.high, s.hex))
	case utf16.IsSurrogate(s.hex):
		s.high, s.state = s.hex, inLow
	default:
		s.keepRune(s.hex)
	}
	return i + 1, nil
}

// readLow reads the \u that must follow a high surrogate.
func (s *Scanner) readLow(p []byte, i int) (int, error) {
	switch {
	case s.state == inLow && p[i] == '\\':
		s.state = inLowU
	case s.state == inLowU && p[i] == 'u':
		s.state, s.hex, s.digits = inHex, 0, 0
	default:
		return s.fail(BadText, i, "lone surrogate in a JSON string")
	}
	return i + 1, nil
}

// endText ends the string whose closing quote is before p[i]. Its head may be
// more than is wanted, and is cut if there was more.
func (s *Scanner) endText(p []byte, i int, head []byte, cut bool) (err error) {
	if !s.isName {
		if s.counts && s.off+int64(i)-s.textAt > int64(len(`""`)) {
			s.counted++
			s.last = [2]int64{s.textAt + 1, s.off + int64(i) - 1}
		}
		s.counts = false
		s.endScalar(p, i)
		if s.str != nil {
			s.size = s.off + int64(i) - s.textAt
			err = s.str(s.around(), string(whole(head, cut)))
		}
		return err
	}
	s.state = atColon
	top := &s.stack[len(s.stack)-1]
	if top.node != none && !cut { // a longer name is not a watched one
		s.next, err = s.match(top.node, head)
	}
	if s.str != nil {
		top.name = s.intern(whole(head, cut))
	}
	s.counts = !cut && slices.Contains(s.count, string(head))
	return err
}

// around returns the names of the members around the value that is being read.
func (s *Scanner) around() []string {
	s.path = s.path[:0]
	for i := range s.stack {
		if !s.stack[i].array {
			s.path = append(s.path, s.stack[i].name)
		}
	}
	return s.path
}

// maxNames is how many member names are remembered, so that each is allocated
// once only.
const maxNames = 64

// intern returns the name as a string.
func (s *Scanner) intern(name []byte) string {
	if known, ok := s.names[string(name)]; ok {
		return known
	}
	if len(s.names) == maxNames {
		clear(s.names)
	}
	known := string(name)
	s.names[known] = known
	return known
}
