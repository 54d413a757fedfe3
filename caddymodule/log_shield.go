package caddymodule

import (
	"io"
	"log"
	"sync/atomic"

	"github.com/llorch/gateway/authmin"
)

// logShield keeps tokens, and what upstreams send, out of every log of the process, for any
// format, level and output: the logs of all Caddy modules, and those of the standard
// library's log. It does three things.
//
// It reduces requests to what the format `authmin` shows: handlers log a whole request,
// with the credentials for the upstream, when a stream breaks or at DEBUG. The server's
// access and error logs show more: see [shieldLogs]. Servers without a guard are not
// affected.
//
// It replaces configured tokens in every entry of every logger. And it removes what
// net/http quotes of an upstream that does not keep to HTTP, which may be a part of a
// prompt or an answer: see [authmin.RedactPeer].
type logShield struct {
	leaks  atomic.Pointer[leakFinder] // nil until the tokens are known
	guards *guardList
}

// text implements [logCleaner].
func (s *logShield) text(text string) string {
	text = authmin.RedactPeer(text)
	if leaks := s.leaks.Load(); leaks != nil {
		return leaks.RedactLine(text)
	}
	return text
}

// stdShield redacts the output of the standard library's log.
type stdShield struct{ to io.Writer }

// runningShield is the shield of the configuration in use.
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

// shieldStdLog puts the shield before the output of the standard library's log. It is
// called repeatedly, since Caddy replaces that output when a configuration with a sink
// ends.
func shieldStdLog() {
	if _, ok := log.Writer().(stdShield); !ok {
		log.SetOutput(stdShield{log.Writer()})
	}
}
