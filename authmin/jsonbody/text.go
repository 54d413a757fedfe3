package jsonbody

import (
	"encoding/binary"
	"math/bits"
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

// start begins a string.
func (t *text) start(isName bool, limit int, at int64) {
	t.isName, t.limit, t.textAt = isName, limit, at
	t.head, t.cut = t.head[:0], false
}

// keep adds unescaped bytes to the head, up to its limit.
func (t *text) keep(b []byte) {
	if t.limit == 0 || t.cut {
		return
	}
	if room := t.limit - len(t.head); len(b) > room {
		b, t.cut = b[:room], true
	}
	t.head = append(t.head, b...)
}

// keepRune adds an unescaped character to the head.
func (t *text) keepRune(r rune) {
	if t.limit > 0 && !t.cut {
		var b [utf8.UTFMax]byte
		t.keep(b[:utf8.EncodeRune(b[:], r)])
	}
}

// whole returns at most n bytes of the head, without a character that was cut.
func (t *text) whole(n int) []byte {
	head := t.head
	if len(head) > n {
		head = head[:n]
	} else if !t.cut {
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

// readText reads a string from p[i] on, to its end or to an escape.
func (s *Scanner) readText(p []byte, i int) (int, error) {
	from := i
	for {
		if i = skipPlain(p, i); i == len(p) {
			s.text.keep(p[from:])
			return i, nil
		}
		switch c := p[i]; {
		case c == '"':
			s.text.keep(p[from:i])
			return i + 1, s.endText(p, i+1)
		case c == '\\':
			s.text.keep(p[from:i])
			s.state = inEscape
			return i + 1, nil
		case c == 0:
			return s.fail(BadText, i, "NUL in a JSON string")
		case c < ' ':
			return s.fail(Syntax, i, "control character in a JSON string")
		case !utf8.FullRune(p[i:]):
			s.text.keep(p[from:i])
			s.parts, s.state = copy(s.part[:], p[i:]), inRune
			return len(p), nil
		}
		r, n := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && n == 1 {
			return s.fail(BadText, i, "invalid UTF-8 in a JSON string")
		}
		i += n
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

// readEscape reads the character after a backslash.
func (s *Scanner) readEscape(p []byte, i int) (int, error) {
	s.state = inText
	switch c := p[i]; c {
	case '"', '\\', '/':
		s.keepRune(rune(c))
	case 'b':
		s.keepRune('\b')
	case 'f':
		s.keepRune('\f')
	case 'n':
		s.keepRune('\n')
	case 'r':
		s.keepRune('\r')
	case 't':
		s.keepRune('\t')
	case 'u':
		s.state, s.hex, s.digits, s.high = inHex, 0, 0, 0
	default:
		return s.fail(Syntax, i, "unknown escape in a JSON string")
	}
	return i + 1, nil
}

// readHex reads one of the four digits after \u.
func (s *Scanner) readHex(p []byte, i int) (int, error) {
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
	if s.digits++; s.digits < 4 {
		return i + 1, nil
	}
	s.state = inText
	low := 0xDC00 <= s.hex && s.hex <= 0xDFFF
	switch {
	case s.hex == 0:
		return s.fail(BadText, i, "NUL in a JSON string")
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

// endText ends the string whose closing quote is before p[i].
func (s *Scanner) endText(p []byte, i int) (err error) {
	if !s.isName {
		s.endScalar(p, i)
		if s.str != nil {
			err = s.str(s.around(), string(s.whole(maxHead)))
		}
		return err
	}
	s.state = atColon
	top := &s.stack[len(s.stack)-1]
	if top.node != none && !s.cut { // a longer name is not a watched one
		s.next, err = s.match(top.node, s.head)
	}
	if s.str != nil {
		top.name = s.intern(s.whole(maxHead))
	}
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
