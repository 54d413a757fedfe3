package trail

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// appendTime writes a time in UTC in [timeLayout]. Every record has one, and
// [time.Time.AppendFormat] takes three times as long.
func appendTime(dst []byte, at time.Time) []byte {
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	micros := at.Nanosecond() / int(time.Microsecond)
	return append(dst,
		digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(int(month)/10), digit(int(month)), '-',
		digit(day/10), digit(day), 'T',
		digit(hour/10), digit(hour), ':',
		digit(minute/10), digit(minute), ':',
		digit(second/10), digit(second), '.',
		digit(micros/100000), digit(micros/10000), digit(micros/1000), digit(micros/100), digit(micros/10), digit(micros), 'Z')
}

// digit is the last digit of a number.
func digit(n int) byte { return '0' + byte(n%10) }

// appendText writes a JSON string of at most space bytes between its quotes. Nothing
// in it can end the line or the string: control and invisible characters and invalid
// UTF-8 are escaped or replaced.
func appendText(dst []byte, text string, space int) []byte {
	const hex, ellipsis, longest = "0123456789abcdef", "…", 12 // \ud800\udc00
	space = min(space, maxValue)
	dst = append(dst, '"')
	if len(text) <= space-longest && isPlain(text) { // nearly every value
		return append(append(dst, text...), '"')
	}
	end := len(dst) + space - longest
	for i := 0; i < len(text); {
		if len(dst) > end {
			dst = append(dst, ellipsis...)
			break
		}
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			i += size
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// isPlain reports whether a text needs no escape.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
