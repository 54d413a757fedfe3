package store

import (
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"
)

const (
	// logBurst and logWindow bound how often one kind of line is written: any host
	// may connect to the route port, and each failed handshake is a line.
	logBurst  = 10
	logWindow = time.Minute
	// maxLogLine bounds a line's text, which may quote certificates of unknown hosts.
	maxLogLine = 1 << 10
	// logKinds bounds what is counted; the server has a few hundred kinds of lines.
	logKinds = 1 << 10
)

// connection is what the server puts before a line about a connection.
var connection = regexp.MustCompile(`^\S+ - [a-z]+:\d+ - `)

// natsLog gives JetStream's lines to slog. Its notices are start-up chatter, so
// they are debug here; no payload is ever among them.
type natsLog struct {
	log    *slog.Logger
	faults chan<- struct{} // signalled on each error; capacity 1

	mu     sync.Mutex
	window time.Time
	count  map[string]int // by format
}

func newNATSLog(log *slog.Logger, faults chan<- struct{}) *natsLog {
	return &natsLog{log: log.With("component", "jetstream"), faults: faults, count: make(map[string]int)}
}

func (l *natsLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *natsLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *natsLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *natsLog) Warnf(format string, v ...any)   { l.bounded(l.log.Warn, format, v) }
func (l *natsLog) Errorf(format string, v ...any) {
	select {
	case l.faults <- struct{}{}:
	default:
	}
	l.bounded(l.log.Error, format, v)
}

// Fatalf only logs: a library does not end the program; Open reports the server
// as not ready.
func (l *natsLog) Fatalf(format string, v ...any) { l.bounded(l.log.Error, format, v) }

func (l *natsLog) bounded(write func(string, ...any), format string, v []any) {
	l.mu.Lock()
	if now := time.Now(); now.Sub(l.window) > logWindow {
		l.window = now
		clear(l.count)
	}
	kind := connection.ReplaceAllString(format, "")
	if len(l.count) > logKinds {
		clear(l.count)
	}
	l.count[kind]++
	n := l.count[kind]
	l.mu.Unlock()
	text := fmt.Sprintf(format, v...)
	switch text = text[:min(len(text), maxLogLine)]; {
	case n < logBurst:
		write(text)
	case n == logBurst:
		write(text, "more_of_these", "not logged for up to "+logWindow.String())
	}
}
