package trail

import (
	"log/slog"
	"strconv"
	"time"
)

const (
	// MaxRecord bounds one record of the trail in bytes, line end and chain included:
	// PIPE_BUF on Linux, so that a line written to a pipe that other processes write
	// to as well stays whole.
	MaxRecord = 4096

	// MaxLine bounds what [AppendRecord] and [Line] write: a record without line end
	// and chain.
	MaxLine = MaxRecord - chainSize

	// maxValue bounds one value after escaping: the longest path that is logged, and
	// some escapes.
	maxValue = 1200

	// keysSize is kept free for the names and numbers that follow a value. The 18
	// fields of a decision have 160 bytes of names and 110 of punctuation.
	keysSize = 400
)

// timeLayout is RFC 3339 in UTC with a fixed width, so that lines sort as text.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// AppendRecord writes one record as one line of JSON, without the line end. It uses
// no reflection and allocates only to grow dst. Values are cut so that the line has
// at most [MaxLine] bytes. It leaves the message out: the attribute `event` says
// the same.
func AppendRecord(dst []byte, r *slog.Record) []byte {
	line := StartLine(dst, r.Time, r.Level)
	r.Attrs(func(a slog.Attr) bool {
		line.Value(a.Key, a.Value)
		return true
	})
	return line.End()
}

// Line is a line of JSON under construction, for a record whose fields are known
// when the code is written: what [AppendRecord] makes of the same fields, without a
// [slog.Record]. Keys are written as they are; a key is never a client's text.
type Line struct {
	bytes []byte
	limit int // where the last value has to end
}

// StartLine begins a line behind dst, with the fields `time` and `level`.
func StartLine(dst []byte, at time.Time, level slog.Level) Line {
	limit := len(dst) + MaxLine - keysSize
	dst = append(dst, `{"time":"`...)
	dst = appendTime(dst, at.UTC())
	dst = append(dst, `","level":"`...)
	dst = append(dst, level.String()...)
	return Line{append(dst, '"'), limit}
}

func (l *Line) key(key string) {
	l.bytes = append(l.bytes, ',', '"')
	l.bytes = append(l.bytes, key...)
	l.bytes = append(l.bytes, '"', ':')
}

// Text adds a field with a client's text or any other.
func (l *Line) Text(key, value string) {
	l.key(key)
	l.bytes = appendText(l.bytes, value, l.limit-len(l.bytes))
}

// Int adds a field with a number.
func (l *Line) Int(key string, value int64) {
	l.key(key)
	l.bytes = strconv.AppendInt(l.bytes, value, 10)
}

// Uint adds a field with a number.
func (l *Line) Uint(key string, value uint64) {
	l.key(key)
	l.bytes = strconv.AppendUint(l.bytes, value, 10)
}

// Time adds a field with a time, in UTC and to the second.
func (l *Line) Time(key string, value time.Time) {
	l.key(key)
	l.bytes = append(l.bytes, '"')
	l.bytes = append(value.UTC().AppendFormat(l.bytes, time.RFC3339), '"')
}

// Value adds a field of any kind: one without a form of its own as its text.
func (l *Line) Value(key string, v slog.Value) {
	switch v.Kind() {
	case slog.KindString:
		l.Text(key, v.String())
	case slog.KindInt64:
		l.Int(key, v.Int64())
	case slog.KindUint64:
		l.Uint(key, v.Uint64())
	case slog.KindBool:
		l.key(key)
		l.bytes = strconv.AppendBool(l.bytes, v.Bool())
	case slog.KindTime:
		l.Time(key, v.Time())
	default:
		l.Text(key, v.Resolve().String())
	}
}

// End closes the line and returns it with dst before it.
func (l *Line) End() []byte { return append(l.bytes, '}') }
