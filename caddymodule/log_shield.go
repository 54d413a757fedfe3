package caddymodule

import (
	"io"
	"log"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
)

// logShield keeps tokens out of every log of the process, whatever its format, level
// and output: those that any module of Caddy's has, and what is written with the
// standard library's log. It does two things.
//
// Of requests, which handlers write as they are when a stream breaks or at DEBUG, with
// what the operator adds for the upstream, only that is written which the format
// `authmin` writes, too. The server's own logs, of access and errors, show more: see
// [shieldLogs]. A server without a guard shows what it likes.
//
// And in every entry, of whatever logger, the tokens that are configured are replaced.
type logShield struct {
	leaks  atomic.Pointer[leakFinder] // nil until the tokens are known
	guards *guardList
}

// redact cleans one text of an entry.
func (s *logShield) redact(text string) string {
	if leaks := s.leaks.Load(); leaks != nil {
		return leaks.RedactLine(text)
	}
	return text
}

// shieldedLog is a log behind the shield.
type shieldedLog struct {
	zapcore.Core
	shield *logShield
}

// With implements [zapcore.Core].
func (l shieldedLog) With(fields []zapcore.Field) zapcore.Core {
	return shieldedLog{l.Core.With(l.shield.fields(fields)), l.shield}
}

// Check implements [zapcore.Core]. The logs behind it are asked one by one: each
// has a level and a list of names of its own.
func (l shieldedLog) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	inner := l.Core.Check(entry, nil)
	if inner == nil {
		return checked
	}
	return checked.AddCore(entry, shieldedWrite{l, inner})
}

// shieldedWrite is one entry on its way to the logs that want it.
type shieldedWrite struct {
	shieldedLog
	inner *zapcore.CheckedEntry
}

// Write implements [zapcore.Core].
func (w shieldedWrite) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message, entry.Stack = w.shield.redact(entry.Message), w.shield.redact(entry.Stack)
	w.inner.Entry = entry
	w.inner.Write(w.shield.fields(fields)...)
	return nil
}

// stdShield cleans what is written with the standard library's log.
type stdShield struct{ to io.Writer }

// runningShield is that of the configuration in use.
var runningShield atomic.Pointer[logShield]

// Write implements [io.Writer].
func (w stdShield) Write(line []byte) (int, error) {
	shield := runningShield.Load()
	if shield == nil {
		return w.to.Write(line)
	}
	if _, err := w.to.Write([]byte(shield.redact(string(line)))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// shieldStdLog puts the shield before the standard library's log, if nothing has put
// another output there: Caddy does, when a configuration ends that had a sink.
func shieldStdLog() {
	if _, ok := log.Writer().(stdShield); !ok {
		log.SetOutput(stdShield{log.Writer()})
	}
}
