package authmin

import (
	"strings"
	"time"
)

// Holds reports whether a text that a client sent in the wrong place holds a
// valid token of the keyring, in any spelling that [Redactor] knows. Only valid ones
// count, so that an answer which depends on this tells no more than Authorization
// would. A text without a run as long as a token costs a look at its bytes and no
// hash.
func (k *Keyring) Holds(text string, now time.Time) bool {
	if len(text) < MinTokenLength {
		return false
	}
	s := search{now: now, usable: true}
	s.add(k)
	return s.holds(text)
}

// holds looks at a text as it is, and with its escapes decoded.
func (s *search) holds(text string) bool {
	if s.count == 0 {
		return false
	}
	s.left = maxCandidates
	for range maxDecodings + 1 {
		if _, _, found := s.find(text); found {
			return true
		}
		decoded, changed := decodeEscapes(text)
		if !changed {
			return false
		}
		text = decoded
	}
	return false
}

// decodeEscapes decodes the valid escapes of a text once, and says whether there
// are any. Those that are not valid stay.
func decodeEscapes(text string) (decoded string, changed bool) {
	at := strings.IndexByte(text, '%')
	if at < 0 {
		return text, false
	}
	out := make([]byte, at, len(text))
	copy(out, text)
	for i := at; i < len(text); i++ {
		c, width := escapeAt(text, i)
		changed = changed || width > 1
		out = append(out, c)
		i += width - 1
	}
	return string(out), changed
}

// escapeAt is the byte that stands at a place in a text, and how many bytes it is
// written in: three for a valid escape.
func escapeAt(text string, at int) (c byte, width int) {
	if text[at] == '%' && at+2 < len(text) {
		if high, low := unhex(text[at+1]), unhex(text[at+2]); high >= 0 && low >= 0 {
			return byte(high<<4 | low), 3
		}
	}
	return text[at], 1
}
