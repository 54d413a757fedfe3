package authmin

import (
	"strings"
	"time"
)

// ContainsToken reports whether text from a client contains a valid token of the
// keyring, in any spelling that [Redactor] finds. Only valid tokens count, so that an
// answer which depends on the result reveals no more than Authorization would. Text
// without a run as long as a token costs no hash.
func (k *Keyring) ContainsToken(text string, now time.Time) bool {
	if len(text) < MinTokenLength {
		return false
	}
	s := search{now: now, usable: true}
	s.add(k)
	return s.contains(text)
}

// contains searches text as it is, and with its escapes decoded.
func (s *search) contains(text string) bool {
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

// decodeEscapes decodes the valid escapes of text once and reports whether there are
// any. Invalid escapes stay.
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

// escapeAt returns the byte at a position of text and its width: three for a valid
// escape, else one.
func escapeAt(text string, at int) (c byte, width int) {
	if text[at] == '%' && at+2 < len(text) {
		if high, low := unhex(text[at+1]), unhex(text[at+2]); high >= 0 && low >= 0 {
			return byte(high<<4 | low), 3
		}
	}
	return text[at], 1
}
