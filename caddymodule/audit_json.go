package caddymodule

import (
	"log/slog"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxRecord bounds one record of the audit trail in bytes, line end and chain
// included: PIPE_BUF on Linux, so that a line written to a pipe that others write
// to as well stays whole.
const maxRecord = 4096

// maxAuditValue bounds one value after escaping: the longest path that is logged,
// and some escapes.
const maxAuditValue = 1200

// keysRoom is kept free for the names and numbers that follow a value. The 18
// fields of a decision have 160 bytes of names and 110 of punctuation.
const keysRoom = 400

// auditTime is RFC 3339 in UTC with a fixed width, so that lines sort as text.
const auditTime = "2006-01-02T15:04:05.000000Z"

// appendRecord writes one record as one line of JSON, without the line end. It
// uses no reflection and allocates nothing but room in dst. Values are cut so
// that a record stays below [maxRecord] with its chain.
func appendRecord(dst []byte, r *slog.Record) []byte {
	dst, limit := appendHead(dst, r.Time, r.Level)
	r.Attrs(func(a slog.Attr) bool {
		dst = append(dst, ',', '"')
		dst = append(dst, a.Key...)
		dst = append(dst, '"', ':')
		dst = appendAuditValue(dst, a.Value, limit-len(dst))
		return true
	})
	return append(dst, '}')
}

// appendHead begins a record, and says how long it may be when a value begins.
func appendHead(dst []byte, at time.Time, level slog.Level) (line []byte, limit int) {
	limit = len(dst) + maxRecord - chainRoom - keysRoom
	dst = append(dst, `{"time":"`...)
	dst = appendAuditTime(dst, at.UTC())
	dst = append(dst, `","level":"`...)
	dst = append(dst, level.String()...)
	return append(dst, '"'), limit
}

// appendAuditTime writes a time in UTC as [auditTime] says. Every record has one,
// and to read the layout each time costs three times as much.
func appendAuditTime(dst []byte, at time.Time) []byte {
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

func appendAuditValue(dst []byte, v slog.Value, room int) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendAuditString(dst, v.String(), room)
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case slog.KindTime:
		dst = append(dst, '"')
		return append(v.Time().UTC().AppendFormat(dst, time.RFC3339), '"')
	}
	return appendAuditString(dst, v.Resolve().String(), room)
}

// appendAuditString writes a JSON string of at most room bytes between its
// quotes. Nothing in it can end the line or the string, whoever sent it: control
// and invisible characters and invalid UTF-8 are escaped.
func appendAuditString(dst []byte, text string, room int) []byte {
	const hex, ellipsis, longest = "0123456789abcdef", "…", 12 // \ud800\udc00
	room = min(room, maxAuditValue)
	dst = append(dst, '"')
	if len(text) <= room-longest && isPlain(text) { // nearly every value
		return append(append(dst, text...), '"')
	}
	end := len(dst) + room - longest
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

// isPlain reports whether a text is written as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
