package jsonbody

import (
	"cmp"
	"slices"
)

// DefaultMaxDepth is the nesting that a Scanner accepts unless Options say
// otherwise. The top-level object is the first level.
const DefaultMaxDepth = 128

// maxHead is how many bytes of a string, and of a member name around it, are
// given to Options.String.
const maxHead = 256

// Options say what a Scanner reports.
type Options struct {
	// Watch are paths of members from the top-level object, dotted: "model",
	// "stream_options.include_usage". A member on a path may occur once in its
	// object, spelled exactly so; a second one, or one whose unescaped name is
	// equal but for case, is an *Error. Paths go through objects only, never
	// through arrays: beneath an array or a scalar a member is just not there.
	Watch []string

	// String, if set, is called at the end of every string value (not of member
	// names) with the names of the members around it, the outermost first, and
	// the start of its unescaped text, at most 256 bytes of whole characters.
	// Arrays are transparent; a name is cut like the text. The slice is valid
	// during the call only. An error ends the scan and is returned as it is.
	String func(path []string, head string) error

	// MaxDepth is the deepest nesting of objects and arrays; 0 means
	// DefaultMaxDepth.
	MaxDepth int

	// MaxValue is how many bytes of a watched value are kept; 0 means 4 KiB. A
	// longer one is Truncated.
	MaxValue int

	// Count are names of members. Scanner.Counted is how many of them have a string
	// that is not empty, at any depth and in arrays as well. A name is compared
	// unescaped, upper and lower case included.
	Count []string
}

// A Scanner reads one JSON document, written to it in pieces of any size, and
// then, after Reset, the next. It is not safe for concurrent use.
type Scanner struct {
	str      func(path []string, head string) error
	maxDepth int
	count    []string
	nodes    []node // of Options.Watch
	longest  int    // bytes of a member name that can matter

	state state
	off   int64 // of the piece that is being written
	safe  int64
	err   error
	stack []frame
	next  int   // node of the value that comes next
	value int   // node of the scalar that is being read, if it is watched
	open  []int // watched nodes whose values are being read, the outermost first

	text
	number numberState
	word   string // what is still to come of true, false or null

	counts  bool // the value that comes next is of a counted member
	counted int
	last    [2]int64 // where the text of the last counted string is

	size  int64    // of the string that is given to str
	path  []string // reused for str
	names map[string]string
}

// A frame is an object or array that is being read.
type frame struct {
	array   bool
	node    int    // where watched members are looked up
	capture int    // node whose value this is, if it is watched
	name    string // of the current member, for Options.String
}

// A state says what may come next.
type state uint8

const (
	atStart   state = iota // the top-level object
	atMember               // a member name, or the end of the object
	atName                 // a member name
	atColon                // the colon after it
	atElement              // a value, or the end of the array
	atValue                // a value
	atComma                // a comma, or the end of the object or array
	atEnd                  // nothing
	inText                 // a string, as far as its closing quote
	inRune                 // the rest of a character that was cut
	inEscape               // what follows a backslash
	inHex                  // the digits of \u
	inLow                  // the backslash of a low surrogate
	inLowU                 // the u of a low surrogate
	inNumber
	inWord
)

// New returns a Scanner at the start of a document.
func New(o Options) *Scanner {
	s := &Scanner{str: o.String, maxDepth: o.MaxDepth, count: o.Count}
	if s.maxDepth <= 0 {
		s.maxDepth = DefaultMaxDepth
	}
	s.nodes, s.longest = watch(o.Watch)
	for i := range s.nodes {
		s.nodes[i].most = cmp.Or(o.MaxValue, maxRaw)
	}
	for _, name := range s.count {
		s.longest = max(s.longest, len(name)+1) // one more, so that a longer name is another
	}
	if s.str != nil {
		s.longest = max(s.longest, maxHead)
		s.names = make(map[string]string)
	}
	s.Reset()
	return s
}

// Copy returns a Scanner with the same Options at the start of a document, for less
// than New: what was made of Options.Watch is shared. One that is only copied is safe
// for concurrent use.
func (s *Scanner) Copy() *Scanner {
	c := &Scanner{str: s.str, maxDepth: s.maxDepth, count: s.count, longest: s.longest, nodes: slices.Clone(s.nodes)}
	if s.names != nil {
		c.names = make(map[string]string)
	}
	for i := range c.nodes {
		c.nodes[i].capture = capture{most: c.nodes[i].most} // its memory is the other's
	}
	c.Reset()
	return c
}

// Reset makes the Scanner ready for another document and keeps its memory.
func (s *Scanner) Reset() {
	for i := range s.nodes {
		c := &s.nodes[i].capture
		c.seen, c.done = false, false
	}
	s.state, s.off, s.safe, s.err = atStart, 0, 0, nil
	s.stack, s.open = s.stack[:0], s.open[:0]
	s.next, s.counts, s.counted = none, false, 0
}

// Write reads the next bytes of the document. After an error every further call
// returns it.
func (s *Scanner) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	for i := 0; i < len(p); {
		if i, s.err = s.step(p, i); s.err != nil {
			return i, s.err
		}
	}
	for _, n := range s.open {
		s.nodes[n].keep(p, len(p))
	}
	s.off += int64(len(p))
	s.safe = s.off
	if len(s.open) > 0 {
		s.safe = s.nodes[s.open[0]].member.Start
	}
	return len(p), nil
}

// Close reports whether the document is complete: one object, and nothing after
// it but white space.
func (s *Scanner) Close() error {
	if s.err == nil && s.state != atEnd {
		_, s.err = s.fail(Syntax, 0, "JSON ends early")
	}
	return s.err
}

// StringSize returns how many bytes of the document the string takes with which
// Options.String is being called, its quotes included.
func (s *Scanner) StringSize() int64 { return s.size }

// Safe returns the offset before which all bytes may be passed on: the start of
// the watched value that is being read, or else what has been written. A Write
// that returns an error does not move it.
func (s *Scanner) Safe() int64 { return s.safe }

// Counted returns how many members of Options.Count had a string that is not empty.
func (s *Scanner) Counted() int { return s.counted }

// LastCounted returns where the text of the string is that was counted last, its quotes
// left out: the bytes [start, end) of the document.
func (s *Scanner) LastCounted() (start, end int64) { return s.last[0], s.last[1] }

// fail returns the error for p[i].
func (s *Scanner) fail(code Code, i int, reason string) (int, error) {
	return max(i, 0), &Error{Code: code, Offset: s.off + int64(i), reason: reason}
}

// step reads a token, or a part of one, from p[i] on and returns where it ends.
func (s *Scanner) step(p []byte, i int) (int, error) {
	switch s.state {
	case inText:
		return s.readText(p, i)
	case inRune:
		return s.readRune(p, i)
	case inEscape:
		return s.readEscape(p, i)
	case inHex:
		return s.readHex(p, i)
	case inLow, inLowU:
		return s.readLow(p, i)
	case inNumber:
		return s.readNumber(p, i)
	case inWord:
		return s.readWord(p, i)
	}
	return s.readStructure(p, i)
}
