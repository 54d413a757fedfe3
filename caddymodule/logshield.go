package caddymodule

import (
	"io"
	"log"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap/buffer"
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
// And in every line, of whatever logger, the tokens that are configured are replaced.
type logShield struct {
	leaks  atomic.Pointer[leakFinder] // nil until the tokens are known
	guards *guardList
}

// redact cleans one line.
func (s *logShield) redact(line string) string {
	if leaks := s.leaks.Load(); leaks != nil {
		return leaks.RedactLine(line)
	}
	return line
}

// shieldedEncoder is a log's format behind the shield.
type shieldedEncoder struct {
	zapcore.Encoder
	shield *logShield
}

// Clone implements [zapcore.Encoder].
func (e *shieldedEncoder) Clone() zapcore.Encoder {
	return &shieldedEncoder{e.Encoder.Clone(), e.shield}
}

// EncodeEntry implements [zapcore.Encoder].
func (e *shieldedEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	inner := e.Encoder.Clone()
	for _, field := range fields {
		field.AddTo(&shieldedEncoder{inner, e.shield})
	}
	line, err := inner.EncodeEntry(entry, nil)
	if err != nil {
		return nil, err
	}
	text := line.String()
	if clean := e.shield.redact(text); len(clean) != len(text) { // no token is as short as what stands for it
		line.Reset()
		line.AppendString(clean)
	}
	return line, nil
}

// AddObject implements [zapcore.ObjectEncoder].
func (e *shieldedEncoder) AddObject(key string, object zapcore.ObjectMarshaler) error {
	return e.Encoder.AddObject(key, e.shield.object(key, object))
}

// AddReflected implements [zapcore.ObjectEncoder]: headers of the admin endpoint come
// this way, and modules with all their settings, credentials for an upstream too.
func (e *shieldedEncoder) AddReflected(key string, value any) error {
	return e.Encoder.AddReflected(key, shownValue(value))
}

// AddString implements [zapcore.ObjectEncoder].
func (e *shieldedEncoder) AddString(key, value string) {
	e.Encoder.AddString(key, shownString(key, value))
}

// object is what a log may show of an object. What [shieldLogs] has cleaned stays.
func (s *logShield) object(key string, object zapcore.ObjectMarshaler) zapcore.ObjectMarshaler {
	switch o := object.(type) {
	case caddyhttp.LoggableHTTPRequest:
		if server, ok := o.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && !s.guards.on(server) {
			return o
		}
		o.Request = harmlessRequest(o.Request)
		return o
	case caddyhttp.LoggableHTTPHeader:
		if key == responseHeaders {
			return o
		}
		o.Header = harmlessHeader(o.Header)
		return o
	case cleanedRequest, cleanedHeader:
		return o
	}
	return shieldedObject{object, s}
}

// responseHeaders is the field of an access log with the header of the answer.
const responseHeaders = "resp_headers"

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

// Interface guards
var _ zapcore.Encoder = (*shieldedEncoder)(nil)
