package caddymodule

import (
	"errors"
	"net/http"
	"reflect"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// errUnknownLogs refuses a Caddy whose private loggers are not where they were.
var errUnknownLogs = errors.New("this version of Caddy does not let its logs be kept clean of tokens in the wrong place; use one that does")

// place puts the shield before every log of a configuration. Caddy has built the logs
// before any app, so that all modules that are provisioned from now on get shielded
// ones; Caddy's default logger is replaced as well. Caddy keeps the logs to itself: one
// that does not look as it did is refused.
//
// Modules that were provisioned before, such as the handlers of an earlier site, have
// their loggers already: see [logShield.sweep]. What Caddy has written until now is of
// the configuration alone: at DEBUG, in any format but authmin, that may be all of it,
// with credentials that stand in it in clear.
func (s *logShield) place(ctx caddy.Context) error {
	config, ok := privateField[*caddy.Config](&ctx, "cfg")
	if !ok {
		return errUnknownLogs
	}
	if *config == nil || (*config).Logging == nil { // in a test of a module alone
		return nil
	}
	for _, l := range (*config).Logging.Logs {
		core, ok := privateField[zapcore.Core](&l.BaseLog, "core")
		if !ok {
			return errUnknownLogs
		}
		if *core != nil {
			*core = cleanedCore{*core, s}
		}
	}
	_, standard, _ := caddy.BufferedLog()
	caddy.UnbufferDefaultLogger(standard.WithOptions(zap.WrapCore(s.wrap)))
	apps, ok := privateField[map[string]caddy.App](*config, "apps")
	if !ok {
		return errUnknownLogs
	}
	for _, app := range *apps {
		s.sweep(reflect.ValueOf(app), 0)
	}
	return nil
}

// wrap shields a core that is not shielded.
func (s *logShield) wrap(core zapcore.Core) zapcore.Core {
	if cleaned, ok := core.(cleanedCore); ok {
		if _, ok := cleaned.cleaner.(*logShield); ok {
			return core
		}
	}
	return cleanedCore{core, s}
}

// maxSweep bounds the depth of modules in modules: a handler in 16 routes in each
// other is 80 deep.
const maxSweep = 128

// sweep shields the loggers of an app, and of the servers, handlers and matchers in it,
// that were made before [logShield.place]. It changes them where they are, as nothing
// serves yet; the loggers that modules derive for goroutines of their own, which may be
// at work already (health checks, the care of certificates), it leaves alone: they write
// nothing of requests.
func (s *logShield) sweep(value reflect.Value, depth int) {
	if depth > maxSweep {
		return
	}
	switch value.Kind() {
	case reflect.Interface, reflect.Pointer:
		if value.IsNil() {
			return
		}
		if value.Kind() == reflect.Pointer && value.CanInterface() {
			s.sweepModule(value)
		}
		s.sweep(value.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range value.Len() {
			s.sweep(value.Index(i), depth+1)
		}
	case reflect.Map:
		for _, element := range value.Seq2() {
			s.sweep(element, depth+1)
		}
	case reflect.Struct:
		for field, element := range value.Fields() {
			if field.IsExported() && holdsModules(field.Type) {
				s.sweep(element, depth+1)
			}
		}
	}
}

// holdsModules leaves out what has no modules in it, of which there is much.
func holdsModules(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Struct:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsModules(t.Elem())
	}
	return false
}

// sweepModule shields the loggers in the fields of one module.
func (s *logShield) sweepModule(module reflect.Value) {
	switch module.Interface().(type) {
	case caddy.App, *caddyhttp.Server, caddyhttp.MiddlewareHandler, caddyhttp.RequestMatcherWithError, interface{ Match(*http.Request) bool }:
	default:
		return
	}
	if module.Elem().Kind() != reflect.Struct {
		return
	}
	for field, value := range module.Elem().Fields() {
		if field.Type != reflect.TypeFor[*zap.Logger]() {
			continue
		}
		if logger := (*zap.Logger)(value.UnsafePointer()); logger != nil {
			*logger = *logger.WithOptions(zap.WrapCore(s.wrap))
		}
	}
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
