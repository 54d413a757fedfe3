package main

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"
)

// caddyHandler sends the backends' records to wherever Caddy's log goes at the
// moment: held back until the configuration is loaded, then to its file.
type caddyHandler struct {
	name string
	wrap func(slog.Handler) slog.Handler
}

// caddySlog returns a logger with a name in Caddy's log.
func caddySlog(name string) *slog.Logger {
	return slog.New(caddyHandler{name: name, wrap: func(h slog.Handler) slog.Handler { return h }})
}

// aboveAll keeps stack traces out of records: no level is this high.
const aboveAll = slog.LevelError + 1

func (h caddyHandler) now() slog.Handler {
	return h.wrap(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName(h.name), zapslog.AddStacktraceAt(aboveAll)))
}

// Enabled implements [slog.Handler].
func (h caddyHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.now().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h caddyHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.now().Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h caddyHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	wrap := h.wrap
	h.wrap = func(inner slog.Handler) slog.Handler { return wrap(inner).WithAttrs(attrs) }
	return h
}

// WithGroup implements [slog.Handler].
func (h caddyHandler) WithGroup(name string) slog.Handler {
	wrap := h.wrap
	h.wrap = func(inner slog.Handler) slog.Handler { return wrap(inner).WithGroup(name) }
	return h
}
