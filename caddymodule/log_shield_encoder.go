package caddymodule

import (
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap/zapcore"
)

// shieldedObject is an object whose strings are redacted while it is encoded.
type shieldedObject struct {
	zapcore.ObjectMarshaler
	shield *logShield
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (o shieldedObject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	_, request := o.ObjectMarshaler.(caddyhttp.LoggableHTTPRequest)
	_, cleaned := o.ObjectMarshaler.(cleanedRequest)
	return o.ObjectMarshaler.MarshalLogObject(shieldedFields{enc, o.shield, request || cleaned})
}

// shieldedFields encodes the fields of an object. With chosen, they are those of a request
// that was reduced already, and only their strings are redacted.
type shieldedFields struct {
	zapcore.ObjectEncoder
	shield *logShield
	chosen bool
}

// AddString implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddString(key, value string) {
	if !f.chosen {
		value = shownString(key, value)
	}
	f.ObjectEncoder.AddString(f.shield.text(key), f.shield.text(value))
}

// AddByteString implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddByteString(key string, value []byte) { f.AddString(key, string(value)) }

// AddObject implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddObject(key string, object zapcore.ObjectMarshaler) error {
	if f.chosen {
		return f.ObjectEncoder.AddObject(f.shield.text(key), shieldedObject{object, f.shield})
	}
	return f.ObjectEncoder.AddObject(f.shield.text(key), f.shield.object(key, object))
}

// AddArray implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddArray(key string, array zapcore.ArrayMarshaler) error {
	return f.ObjectEncoder.AddArray(f.shield.text(key), shieldedArray{array, f.shield})
}

// AddReflected implements [zapcore.ObjectEncoder].
func (f shieldedFields) AddReflected(key string, value any) error {
	return f.ObjectEncoder.AddReflected(f.shield.text(key), f.shield.value(value))
}

// shieldedArray is a list whose strings are redacted while it is encoded.
type shieldedArray struct {
	zapcore.ArrayMarshaler
	shield *logShield
}

// MarshalLogArray implements [zapcore.ArrayMarshaler].
func (a shieldedArray) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	return a.ArrayMarshaler.MarshalLogArray(shieldedElements{enc, a.shield})
}

type shieldedElements struct {
	zapcore.ArrayEncoder
	shield *logShield
}

// AppendString implements [zapcore.PrimitiveArrayEncoder].
func (e shieldedElements) AppendString(value string) {
	e.ArrayEncoder.AppendString(e.shield.text(value))
}

// AppendByteString implements [zapcore.PrimitiveArrayEncoder].
func (e shieldedElements) AppendByteString(value []byte) { e.AppendString(string(value)) }

// AppendObject implements [zapcore.ArrayEncoder].
func (e shieldedElements) AppendObject(object zapcore.ObjectMarshaler) error {
	return e.ArrayEncoder.AppendObject(e.shield.object("", object))
}

// AppendArray implements [zapcore.ArrayEncoder].
func (e shieldedElements) AppendArray(array zapcore.ArrayMarshaler) error {
	return e.ArrayEncoder.AppendArray(shieldedArray{array, e.shield})
}

// AppendReflected implements [zapcore.ArrayEncoder].
func (e shieldedElements) AppendReflected(value any) error {
	return e.ArrayEncoder.AppendReflected(e.shield.value(value))
}
