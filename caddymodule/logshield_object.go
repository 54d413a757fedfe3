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

// cleanedRequest and cleanedHeader are what a server's own log shows.
type (
	cleanedRequest struct{ caddyhttp.LoggableHTTPRequest }
	cleanedHeader  struct{ caddyhttp.LoggableHTTPHeader }
)

// shieldedObject is an object that may have requests in it.
type shieldedObject struct {
	zapcore.ObjectMarshaler
	shield *logShield
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (o shieldedObject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	return o.ObjectMarshaler.MarshalLogObject(shieldedFields{enc, o.shield})
}

// shieldedFields takes the fields of an object.
type shieldedFields struct {
	zapcore.ObjectEncoder
	shield *logShield
}

// AddObject implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddObject(key string, object zapcore.ObjectMarshaler) error {
	return f.ObjectEncoder.AddObject(key, f.shield.object(key, object))
}

// AddReflected implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddReflected(key string, value any) error {
	return f.ObjectEncoder.AddReflected(key, shownValue(value))
}

// AddString implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddString(key, value string) {
	f.ObjectEncoder.AddString(key, shownString(key, value))
}

// shownValue is what a log may show of a value that it would take apart by reflection.
func shownValue(value any) any {
	switch v := value.(type) {
	case http.Header:
		return harmlessHeader(v)
	case caddy.Module:
		return string(v.CaddyModule().ID)
	}
	return value
}

// shownString is what a log may show of a string: targets stand in many fields.
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

// shieldedModule is a core of a module's, which has a format of its own or none.
type shieldedModule struct {
	zapcore.Core
	shield *logShield
}

// With implements [zapcore.Core].
func (m shieldedModule) With(fields []zapcore.Field) zapcore.Core {
	return shieldedModule{m.Core.With(m.shield.fields(fields)), m.shield}
}

// Check implements [zapcore.Core].
func (m shieldedModule) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if inner := m.Core.Check(entry, nil); inner != nil {
		return checked.AddCore(entry, shieldedModuleEntry{m, inner})
	}
	return checked
}

type shieldedModuleEntry struct {
	shieldedModule
	inner *zapcore.CheckedEntry
}

// Write implements [zapcore.Core].
func (e shieldedModuleEntry) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message, entry.Stack = e.shield.redact(entry.Message), e.shield.redact(entry.Stack)
	e.inner.Entry = entry
	e.inner.Write(e.shield.fields(fields)...)
	return nil
}

// fields are those without what a log may not show. One that would be printed with a
// token becomes text.
func (s *logShield) fields(fields []zapcore.Field) []zapcore.Field {
	clean := make([]zapcore.Field, len(fields))
	for i, field := range fields {
		if object, ok := field.Interface.(zapcore.ObjectMarshaler); ok && field.Type == zapcore.ObjectMarshalerType {
			field.Interface = s.object(field.Key, object)
		}
		if field.Type == zapcore.ReflectType {
			field.Interface = shownValue(field.Interface)
		}
		if field.Type == zapcore.StringType {
			field.String = shownString(field.Key, field.String)
		}
		printed := zapcore.NewMapObjectEncoder()
		field.AddTo(printed)
		for key, value := range printed.Fields {
			text := fmt.Sprint(value)
			if shown := s.redact(text); len(shown) != len(text) {
				field = zap.String(key, shown)
			}
		}
		clean[i] = field
	}
	return clean
}
