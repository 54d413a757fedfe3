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

// errUnknownLogs refuses a Caddy with other private fields for its loggers.
var errUnknownLogs = errors.New("cannot redact misplaced tokens in the logs of this version of Caddy; build with the version in go.mod")

// place puts the shield before every log of a configuration. Caddy builds the logs before
// any app, so that modules provisioned from now on get shielded loggers. It replaces
// Caddy's default logger as well. The logs are private to Caddy; a version in which they
// have another form is refused.
//
// Modules that were provisioned before, such as the handlers of an earlier site, have
// their loggers already: see [logShield.sweep]. Caddy's earlier entries are about the
// configuration only: at DEBUG, in any format but authmin, they may contain all of it,
// including credentials in clear.
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

// maxSweep bounds the depth of nested modules: a handler in 16 nested routes is 80 deep.
const maxSweep = 128

// sweep shields the loggers of an app, and of the servers, handlers and matchers in it,
// that were created before [logShield.place]. It modifies them in place, since nothing
// serves yet. It does not modify loggers that modules derived for their own goroutines,
// which may be running (health checks, certificate maintenance): they log no requests.
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

// holdsModules reports whether a type may contain modules, so that sweep can skip others.
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

// privateField returns a pointer to a private field of a struct, if it has this type.
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
