package jsonbody

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
)

// A Kind is the kind of a JSON value. The zero Kind is that of no value.
type Kind uint8

// The kinds of JSON values.
const (
	Object Kind = iota + 1
	Array
	String
	Number
	True
	False
	Null
)

// kindOf returns the kind of the value that starts with the byte.
func kindOf(c byte) Kind {
	switch c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't':
		return True
	case 'f':
		return False
	case 'n':
		return Null
	}
	if c == '-' || '0' <= c && c <= '9' {
		return Number
	}
	return 0
}

// maxRaw is how many bytes of a watched value are kept unless Options say otherwise.
const maxRaw = 4 << 10

// A Member is a watched member that has been read to its end.
type Member struct {
	Kind       Kind
	Start, End int64  // the value is the bytes [Start, End) of the document
	Raw        []byte // these bytes, if at most Options.MaxValue; valid until Scanner.Reset
	Truncated  bool   // the value is longer, and Raw is nil

	// Elements is how many elements of each Kind an array has, Truncated or not. What is
	// inside of them is not counted.
	Elements [Null + 1]int64
}

// Len returns how many elements an array has.
func (m *Member) Len() (n int64) {
	for _, of := range m.Elements {
		n += of
	}
	return n
}

// Text returns the unescaped text of a string that is not Truncated.
func (m Member) Text() (string, bool) {
	if m.Kind != String || m.Truncated {
		return "", false
	}
	if bytes.IndexByte(m.Raw, '\\') < 0 {
		return string(m.Raw[1 : len(m.Raw)-1]), true
	}
	var text string
	err := json.Unmarshal(m.Raw, &text)
	return text, err == nil
}

// Bool returns the value of true or false.
func (m Member) Bool() (value, ok bool) {
	return m.Kind == True, m.Kind == True || m.Kind == False
}

// Int returns the value of a number that is an integer, however it is written:
// 10, 10.0 and 1e1 are ten, since readers take them so. A value outside of
// int64 becomes the nearest int64, so that a limit which is too large to
// represent is still a large limit.
func (m Member) Int() (int64, bool) {
	if m.Kind != Number || m.Truncated {
		return 0, false
	}
	raw, negative := bytes.CutPrefix(m.Raw, []byte("-"))
	mantissa, exponent := raw, 0
	if e := bytes.IndexAny(raw, "eE"); e >= 0 {
		// Atoi clamps to the range of int; further away is as good as 1e6.
		mantissa = raw[:e]
		exponent, _ = strconv.Atoi(string(raw[e+1:]))
		exponent = min(max(exponent, -1e6), 1e6)
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := append(append(make([]byte, 0, len(mantissa)), whole...), fraction...)
	digits = bytes.TrimLeft(digits, "0")
	exponent -= len(fraction)
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		exponent++
	}
	switch {
	case len(digits) == 0:
		return 0, true
	case exponent < 0:
		return 0, false
	case len(digits)+exponent > 19: // the digits of MaxInt64
		digits, exponent = []byte("9999999999999999999"), 0
	}
	return integer(digits, exponent, negative), true
}

// integer returns digits times ten to the exponent, at most 19 digits in all,
// or the nearest int64.
func integer(digits []byte, exponent int, negative bool) int64 {
	value, err := strconv.ParseUint(string(append(digits, bytes.Repeat([]byte("0"), exponent)...)), 10, 64)
	if negative {
		if err != nil || value > math.MaxInt64 {
			return math.MinInt64
		}
		return -int64(value)
	}
	if err != nil || value > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(value)
}

// A capture is a member as it is being read.
type capture struct {
	seen   bool // its name has occurred
	done   bool // its value has been read
	member Member
	raw    []byte // reused from document to document
	most   int    // bytes that are kept
	from   int    // where its bytes start in what is being written
}

// begin starts to keep the value of a node that starts at p[i].
func (s *Scanner) begin(n int, kind Kind, i int) {
	c := &s.nodes[n].capture
	c.member = Member{Kind: kind, Start: s.off + int64(i)}
	c.raw, c.from = c.raw[:0], i
	s.open = append(s.open, n)
}

// keep adds the bytes up to p[i].
func (c *capture) keep(p []byte, i int) {
	if part := p[c.from:i]; len(c.raw)+len(part) > c.most {
		c.member.Truncated = true
	} else if !c.member.Truncated {
		c.raw = append(c.raw, part...)
	}
	c.from = 0
}

// end ends the value that was begun last, at p[i].
func (s *Scanner) end(p []byte, i int) {
	last := len(s.open) - 1
	c := &s.nodes[s.open[last]].capture
	s.open = s.open[:last]
	c.keep(p, i)
	c.member.End = s.off + int64(i)
	if !c.member.Truncated {
		c.member.Raw = c.raw
	}
	c.done = true
}

// Member returns the watched member of a path, spelled as in Options.Watch, once
// its value has been read.
func (s *Scanner) Member(path string) (Member, bool) {
	for i := range s.nodes {
		if n := &s.nodes[i]; n.done && n.path == path {
			return n.member, true
		}
	}
	return Member{}, false
}

// Members are the watched members whose values have been read, by their paths.
func (s *Scanner) Members() iter.Seq2[string, Member] {
	return func(yield func(string, Member) bool) {
		for i := range s.nodes {
			if n := &s.nodes[i]; n.done && !yield(n.path, n.member) {
				return
			}
		}
	}
}
