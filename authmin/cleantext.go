package authmin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of client text in one log record, in bytes; together they keep a
// record below 4 KiB.
const (
	MaxLoggedMethod    = 32   // of the method
	MaxLoggedPath      = 1024 // of the path
	MaxLoggedHost      = 256  // of the Host field
	MaxLoggedUserAgent = 256  // of the User-Agent field
)

// CleanText truncates text from a client to at most that many bytes and makes it
// safe to log: valid UTF-8, without control characters, line separators or
// direction marks. Truncated text ends in "…".
func CleanText(text string, most int) string {
	const ellipsis = "…"
	if clean(text) && len(text) <= most {
		return text
	}
	cut := len(text) > most
	if cut {
		text = text[:max(0, most-len(ellipsis))]
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if cut {
		text += ellipsis
	}
	return text
}

func clean(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
