package caddymodule

import (
	"io"
	"log"
	"sync/atomic"
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

// text implements [logCleaner].
func (s *logShield) text(text string) string {
	if leaks := s.leaks.Load(); leaks != nil {
		return leaks.RedactLine(text)
	}
	return text
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
	if _, err := w.to.Write([]byte(shield.text(string(line)))); err != nil {
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
