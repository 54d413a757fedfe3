package caddymodule

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/zapcore"
)

// place puts the shield into every log of a configuration. Caddy has built the logs
// before any app, and has given them to modules that were provisioned before this
// one; all of those share the cores below, so that it is there that the format is
// replaced. What Caddy and zap keep to themselves is found by reflection, and what
// does not look as it did is an error: then only logs of the format `authmin` may be
// used.
//
// What is written before is of the configuration alone: at DEBUG, and in any format but
// authmin, Caddy may show all of it, with credentials that stand in it in clear.
//
// Nothing of the configuration serves yet. What a module that was provisioned before
// writes from a goroutine of its own at this very moment, such as a health check's
// first failure, races with the replacement; Caddy's default logger, which others use
// as well, is held back meanwhile.
func (s *logShield) place(ctx caddy.Context) error {
	config, ok := privateField[*caddy.Config](&ctx, "cfg")
	if !ok {
		return errUnknownLogs
	}
	if *config == nil || (*config).Logging == nil { // in a test of a module alone
		return nil
	}
	_, held, _ := caddy.BufferedLog()
	defer caddy.UnbufferDefaultLogger(held)
	logging := (*config).Logging
	for name, l := range logging.Logs {
		if err := s.placeIn(name, &l.BaseLog); err != nil {
			return err
		}
	}
	if logging.Sink != nil {
		return s.placeIn("sink", &logging.Sink.BaseLog)
	}
	return nil
}

var errUnknownLogs = fmt.Errorf("this version of Caddy does not let its logs be kept clean of tokens in the wrong place; use one that does")

// placeIn shields one log. One of the format authmin may be of a form that is unknown.
func (s *logShield) placeIn(name string, l *caddy.BaseLog) error {
	core, ok := privateField[zapcore.Core](l, "core")
	if ok && (*core == nil || s.placeInCore(core)) {
		return nil
	}
	if encoder, ok := privateField[zapcore.Encoder](l, "encoder"); ok {
		if _, ok := (*encoder).(*LogFormat); ok {
			return nil
		}
	}
	return fmt.Errorf("log %s: %w, or write `format authmin` into it", name, errUnknownLogs)
}

// placeInCore shields a core where it is, for all that have it.
func (s *logShield) placeInCore(core *zapcore.Core) bool {
	value := reflect.ValueOf(*core)
	switch value.Type().String() {
	case "zapcore.nopCore", "*zapcore.nopCore":
		return true
	case "*zapcore.ioCore":
		encoder, ok := privateField[zapcore.Encoder](*core, "enc")
		if !ok {
			return false
		}
		if _, shielded := (*encoder).(*shieldedEncoder); !shielded {
			*encoder = &shieldedEncoder{*encoder, s}
		}
		return true
	case "*zapcore.sampler":
		inner, ok := privateField[zapcore.Core](*core, "Core")
		return ok && s.placeInCore(inner)
	case "zapcore.multiCore": // with a module of caddy.logging.cores beside Caddy's own
		for i := range value.Len() {
			element := (*zapcore.Core)(value.Index(i).Addr().UnsafePointer())
			if !s.placeInCore(element) {
				*element = shieldedModule{*element, s}
			}
		}
		return true
	}
	return false
}

// privateField is the field of a struct behind a pointer, if it is of this type.
func privateField[T any](structure any, name string) (*T, bool) {
	value := reflect.ValueOf(structure)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return nil, false
	}
	field := value.Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[T]() {
		return nil, false
	}
	return (*T)(unsafe.Pointer(field.UnsafeAddr())), true
}
