package caddymodule

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxLoggedField bounds one field of a header, or a query, in a server's own logs.
const maxLoggedField = 1024

// errLogCredentials: with log_credentials, every handler logs the clients' tokens and the
// gateway's own.
var errLogCredentials = errors.New("log_credentials writes tokens into the logs of this server: remove it")

// shieldLogs keeps tokens out of a guarded server's own logs, including access and error
// logs, for any format: Caddy redacts four header fields, and no query. It redacts every
// word that is as long as a token, and nothing else; the format `authmin` redacts more,
// and in every log. The loggers are private to Caddy; it reports whether it found them.
func shieldLogs(server *caddyhttp.Server) bool {
	for _, name := range []string{"logger", "accessLogger", "errorLogger", "traceLogger"} {
		field, ok := privateField[*zap.Logger](server, name)
		if !ok {
			return false
		}
		if logger := *field; logger != nil { // nil: no access log
			*logger = *logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return cleanedCore{core, serverLog{}} }))
		}
	}
	return true
}

// serverLog cleans the fields of a server's own log.
type serverLog struct{}

// text implements [logCleaner]: messages are Caddy's own.
func (serverLog) text(text string) string { return text }

// fields implements [logCleaner]: what a log may show of requests and headers.
func (serverLog) fields(fields []zapcore.Field) []zapcore.Field {
	clean := make([]zapcore.Field, len(fields))
	for i, field := range fields {
		switch value := field.Interface.(type) {
		case caddyhttp.LoggableHTTPRequest:
			value.Request = shownRequest(value.Request, shieldedTarget, shieldedHeader)
			field.Interface = cleanedRequest{value}
		case caddyhttp.LoggableHTTPHeader:
			value.Header = shieldedHeader(value.Header)
			field.Interface = cleanedHeader{value}
		}
		switch field.Key {
		case "header": // the name of one that Caddy drops
			field.String = authmin.CleanField(field.String, authmin.MaxLoggedHost)
		case "method_trunc": // the beginning of a method that is too long
			field.String = "[redacted]"
		}
		clean[i] = field
	}
	return clean
}

func shieldedTarget(target string) string {
	path, query, found := strings.Cut(target, "?")
	path = authmin.CleanPath(path, authmin.MaxLoggedPath)
	if found {
		path += "?" + authmin.CleanField(query, maxLoggedField)
	}
	return path
}

func shieldedHeader(h http.Header) http.Header {
	shown := make(http.Header, len(h))
	for name, values := range h {
		if http.CanonicalHeaderKey(name) == authmin.HeaderAPIKey { // Caddy redacts Authorization by itself
			shown[name] = []string{"REDACTED"}
			continue
		}
		name = authmin.CleanField(name, authmin.MaxLoggedHost)
		for _, value := range values {
			shown[name] = append(shown[name], authmin.CleanField(value, maxLoggedField))
		}
	}
	return shown
}
