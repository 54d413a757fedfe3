package authmin

import (
	"strings"
	"time"
)

// Holds reports whether a text that a client sent in the wrong place holds a
// valid token of the keyring: alone, between bytes that no token has, or between
// slashes or dots. Only valid ones count, so that an answer which depends on this
// tells no more than Authorization would. A text without a run as long as a token
// costs a look at its bytes and no hash.
func (k *Keyring) Holds(text string, now time.Time) bool {
	for len(text) >= MinTokenLength {
		end := 0
		for end < len(text) && token68Bytes[text[end]] {
			end++
		}
		run := text[:end]
		if k.holdsRun(run, now) {
			return true
		}
		for piece := range strings.FieldsFuncSeq(run, func(r rune) bool { return r == '/' || r == '.' }) {
			if piece != run && k.holdsRun(piece, now) {
				return true
			}
		}
		skip := 1
		if end < len(text) && text[end] == '%' { // an escape, as in Bearer%20TOKEN
			skip = 3
		}
		text = text[min(end+skip, len(text)):]
	}
	return false
}

func (k *Keyring) holdsRun(run string, now time.Time) bool {
	if len(run) < MinTokenLength {
		return false
	}
	_, verdict := k.Lookup(digestOf(run), now)
	return verdict == VerdictValid
}
