package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// cleanedRequest and cleanedHeader are reduced for a server's own log.
type (
	cleanedRequest struct{ caddyhttp.LoggableHTTPRequest }
	cleanedHeader  struct{ caddyhttp.LoggableHTTPHeader }
)

// responseHeaders is the field of an access log with the header of the response.
const responseHeaders = "resp_headers"

// fields implements [logCleaner]. An error or other value whose text contains a token,
// or words of an upstream, becomes a string.
func (s *logShield) fields(fields []zapcore.Field) []zapcore.Field {
	clean := make([]zapcore.Field, len(fields))
	for i, field := range fields {
		field.Key = s.text(field.Key)
		switch field.Type {
		case zapcore.StringType:
			field.String = s.text(shownString(field.Key, field.String))
		case zapcore.ByteStringType, zapcore.StringerType, zapcore.ErrorType:
			field = s.printed(field)
		case zapcore.ReflectType:
			field.Interface = s.value(field.Interface)
		case zapcore.ObjectMarshalerType, zapcore.InlineMarshalerType:
			if object, ok := field.Interface.(zapcore.ObjectMarshaler); ok {
				field.Interface = s.object(field.Key, object)
			}
		case zapcore.ArrayMarshalerType:
			if array, ok := field.Interface.(zapcore.ArrayMarshaler); ok {
				field.Interface = shieldedArray{array, s}
			}
		}
		clean[i] = field
	}
	return clean
}

// printed returns a field unchanged or, if its text is redacted, as a string.
func (s *logShield) printed(field zapcore.Field) zapcore.Field {
	out := zapcore.NewMapObjectEncoder()
	field.AddTo(out)
	for key, value := range out.Fields {
		if text := fmt.Sprint(value); len(text) >= authmin.MinTokenLength {
			if clean := s.text(text); clean != text {
				return zap.String(key, clean)
			}
		}
	}
	return field
}

// value redacts a value that a log would encode by reflection, such as headers of the
// admin endpoint, and modules with all their settings.
func (s *logShield) value(value any) any {
	value = shownValue(value)
	text := fmt.Sprintf("%+v", value)
	if clean := s.text(text); clean != text {
		return clean
	}
	return value
}

// shownValue reduces a value that may contain a credential of the operator.
func shownValue(value any) any {
	switch v := value.(type) {
	case http.Header:
		return harmlessHeader(v)
	case caddy.Module:
		return string(v.CaddyModule().ID)
	}
	return value
}

// shownString redacts a string. Several fields contain request targets.
func shownString(key, value string) string {
	switch {
	case key == "method_trunc": // the beginning of a method that is too long
		return "[redacted]"
	case key == "header": // the name of one that Caddy drops
		return authmin.CleanField(value, authmin.MaxLoggedHost)
	case key == "uri" || strings.HasPrefix(value, "/") && strings.Contains(value, "?"):
		return harmlessTarget(value)
	}
	return value
}

// object redacts an object. Requests and headers keep their types, for the format authmin.
func (s *logShield) object(key string, object zapcore.ObjectMarshaler) zapcore.ObjectMarshaler {
	switch o := object.(type) {
	case caddyhttp.LoggableHTTPRequest:
		server, ok := o.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
		if !ok || s.guards.on(server) {
			o.Request = harmlessRequest(o.Request)
			object = o
		}
	case caddyhttp.LoggableHTTPHeader:
		if key != responseHeaders {
			o.Header = harmlessHeader(o.Header)
			object = o
		}
	case shieldedObject:
		return o
	}
	return shieldedObject{object, s}
}
