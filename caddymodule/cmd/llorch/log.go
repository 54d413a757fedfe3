package main

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"
)

// caddyHandler sends the backends' records to Caddy's current log: buffered until the
// configuration is loaded, then written to its log file.
type caddyHandler struct {
	name string
	wrap func(slog.Handler) slog.Handler
}

// caddySlog returns a logger with a name in Caddy's log.
func caddySlog(name string) *slog.Logger {
	return slog.New(caddyHandler{name: name, wrap: func(h slog.Handler) slog.Handler { return h }})
}

// neverStack is above every level, so that no record has a stack trace.
const neverStack = slog.LevelError + 1

func (h caddyHandler) current() slog.Handler {
	return h.wrap(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName(h.name), zapslog.AddStacktraceAt(neverStack)))
}

// Enabled implements [slog.Handler].
func (h caddyHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.current().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h caddyHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.current().Handle(ctx, r)
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
