package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

func init() {
	caddy.RegisterModule(new(LogFormat))
}

// LogFormat is the log format `authmin`. It wraps another format, by default JSON, and
// redacts places in which a client may have put a token. Caddy itself redacts four header
// fields, and no query string. This format redacts every query, the values of all but
// some known header fields, and any word of those and of the path that is as long as a
// token. Configured tokens are redacted in logs of every format: see [logShield].
type LogFormat struct {
	// The format that writes the entries. Default: json.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	zapcore.Encoder `json:"-"`
}

// CaddyModule implements [caddy.Module].
func (*LogFormat) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.authmin", New: func() caddy.Module { return new(LogFormat) }}
}

// Provision sets up the wrapped format.
func (f *LogFormat) Provision(ctx caddy.Context) error {
	if f.WrappedRaw == nil {
		inner := new(logging.JSONEncoder)
		f.Encoder = inner
		return inner.Provision(ctx)
	}
	inner, err := ctx.LoadModule(f, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("loading the wrapped format: %w", err)
	}
	f.Encoder = inner.(zapcore.Encoder)
	return nil
}

// UnmarshalCaddyfile reads the format. Syntax:
//
//	authmin {
//		wrap <format>
//	}
func (f *LogFormat) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the format's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		if d.Val() != "wrap" || !d.NextArg() {
			return d.Err("want wrap FORMAT")
		}
		name := d.Val()
		id := "caddy.logging.encoders." + name
		inner, err := caddyfile.UnmarshalModule(d, id)
		if err != nil {
			return err
		}
		if _, ok := inner.(zapcore.Encoder); !ok {
			return d.Errf("%s is not a log format", id)
		}
		f.WrappedRaw = caddyconfig.JSONModuleObject(inner, "format", name, nil)
	}
	return nil
}

// Clone implements [zapcore.Encoder].
func (f *LogFormat) Clone() zapcore.Encoder { return &LogFormat{Encoder: f.Encoder.Clone()} }

// EncodeEntry implements [zapcore.Encoder].
func (f *LogFormat) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	clean := f.Encoder.Clone()
	for _, field := range fields {
		field.AddTo(&LogFormat{Encoder: clean})
	}
	return clean.EncodeEntry(entry, nil)
}

// AddObject implements [zapcore.ObjectEncoder]: requests and headers come this
// way.
func (f *LogFormat) AddObject(key string, object zapcore.ObjectMarshaler) error {
	return f.Encoder.AddObject(key, harmlessObject(object))
}

func harmlessObject(object zapcore.ObjectMarshaler) zapcore.ObjectMarshaler {
	switch o := object.(type) {
	case shieldedObject:
		return shieldedObject{harmlessObject(o.ObjectMarshaler), o.shield}
	case cleanedRequest: // less than what this format shows
		return harmlessObject(o.LoggableHTTPRequest)
	case cleanedHeader:
		return harmlessObject(o.LoggableHTTPHeader)
	case caddyhttp.LoggableHTTPRequest:
		o.Request = harmlessRequest(o.Request)
		return o
	case caddyhttp.LoggableHTTPHeader:
		o.Header = harmlessHeader(o.Header)
		return o
	}
	return object
}

// AddString implements [zapcore.ObjectEncoder]. The admin endpoint logs its target as a
// string, and Caddy the beginning of a method that is too long.
func (f *LogFormat) AddString(key, value string) {
	f.Encoder.AddString(key, shownString(key, value))
}

// AddReflected implements [zapcore.ObjectEncoder]: at DEBUG, Caddy writes its whole
// configuration.
func (f *LogFormat) AddReflected(key string, value any) error {
	return f.Encoder.AddReflected(key, shownValue(value))
}

// harmlessRequest returns a request as a log in the format authmin may show it.
func harmlessRequest(r *http.Request) *http.Request {
	return shownRequest(r, harmlessTarget, harmlessHeader)
}

// shownRequest returns a copy of a request with its target and header redacted.
func shownRequest(r *http.Request, target func(string) string, header func(http.Header) http.Header) *http.Request {
	shown := *r
	shown.RequestURI = target(r.RequestURI)
	shown.Host = authmin.CleanField(r.Host, authmin.MaxLoggedHost)
	shown.Method = authmin.CleanField(r.Method, authmin.MaxLoggedMethod)
	shown.Header = header(r.Header)
	return &shown
}

func harmlessTarget(target string) string {
	path, _, query := strings.Cut(target, "?")
	path = authmin.CleanPath(path, authmin.MaxLoggedPath)
	if query {
		path += "?[redacted]"
	}
	return path
}

// ordinaryHeaders are fields whose values are useful in a log, and that contain a token
// only by mistake.
var ordinaryHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Cache-Control": true,
	"Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true,
	"Date": true, "Etag": true, "Last-Event-Id": true, "Origin": true, "Range": true, "Retry-After": true,
	"Sec-Fetch-Dest": true, "Sec-Fetch-Mode": true, "Sec-Fetch-Site": true, "Server": true, "Te": true,
	"Transfer-Encoding": true, "Upgrade": true, "User-Agent": true, "Via": true,
	"X-Auth-Identity": true, "X-Correlation-Id": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true,
}

// harmlessHeader keeps the names of all fields, and the values of the ordinary ones.
func harmlessHeader(h http.Header) http.Header {
	shown := make(http.Header, len(h))
	for name, values := range h {
		if !ordinaryHeaders[name] {
			shown[authmin.CleanField(name, authmin.MaxLoggedHost)] = []string{"REDACTED"}
			continue
		}
		for _, value := range values {
			shown[name] = append(shown[name], authmin.CleanField(value, authmin.MaxLoggedUserAgent))
		}
	}
	return shown
}

// Interface guards
var (
	_ caddy.Provisioner     = (*LogFormat)(nil)
	_ zapcore.Encoder       = (*LogFormat)(nil)
	_ caddyfile.Unmarshaler = (*LogFormat)(nil)
)
