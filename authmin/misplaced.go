package authmin

import (
	"strings"
	"time"
)

// maxPadding is how many `=` the base64 of any number of bytes ends in at most.
const maxPadding = 2

// Holds reports whether a text that a client sent in the wrong place holds a
// valid token of the keyring: alone, between bytes that no token has, or between
// slashes or dots, as it is or percent-encoded. Only valid ones count, so that an
// answer which depends on this tells no more than Authorization would. A text
// without a run as long as a token costs a look at its bytes and no hash.
func (k *Keyring) Holds(text string, now time.Time) bool {
	if len(text) < MinTokenLength {
		return false
	}
	if k.holds(text, now) {
		return true
	}
	decoded, changed := decodeEscapes(text)
	return changed && k.holds(decoded, now)
}

func (k *Keyring) holds(text string, now time.Time) bool {
	for len(text) >= MinTokenLength {
		end := 0
		for end < len(text) && token68Bytes[text[end]] {
			end++
		}
		if end+maxPadding >= MinTokenLength && k.holdsIn(text, end, now) {
			return true
		}
		skip := 1
		if end < len(text) && text[end] == '%' { // an escape, as in Bearer%20TOKEN
			skip = 3
		}
		text = text[min(end+skip, len(text)):]
	}
	return false
}

// holdsIn looks at the run that text begins with, of end bytes: at its pieces, and
// at all of it, with what base64 ends in and without.
func (k *Keyring) holdsIn(text string, end int, now time.Time) bool {
	run := text[:end]
	for piece := range strings.FieldsFuncSeq(run, func(r rune) bool { return r == '/' || r == '.' }) {
		if piece != run && k.holdsRun(piece, now) {
			return true
		}
	}
	for padded := end; ; padded++ {
		if k.holdsRun(text[:padded], now) {
			return true
		}
		if padded == end+maxPadding || padded == len(text) || text[padded] != '=' {
			return false
		}
	}
}

func (k *Keyring) holdsRun(run string, now time.Time) bool {
	if len(run) < MinTokenLength {
		return false
	}
	_, verdict := k.Lookup(digestOf(run), now)
	return verdict == VerdictValid
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
		c := text[i]
		if c == '%' && i+2 < len(text) {
			if high, low := unhex(text[i+1]), unhex(text[i+2]); high >= 0 && low >= 0 {
				c, changed = byte(high<<4|low), true
				i += 2
			}
		}
		out = append(out, c)
	}
	return string(out), changed
}
