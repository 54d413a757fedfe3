package caddymodule

import (
	"context"
	"log/slog"

	"github.com/llorch/gateway/caddymodule/trail"
)

// watchHandler is the [slog.Handler] that keeps the newest records for the page. They are
// the lines that every sink writes, so they contain no token.
type watchHandler struct{ watch *Watch }

// Enabled implements [slog.Handler].
func (watchHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (h watchHandler) Handle(_ context.Context, r slog.Record) error {
	if d := decisionOf(&r); d != nil {
		h.watch.add(d.token, d.json())
		return nil
	}
	if r.Message == eventUsage {
		h.watch.used(&r)
	}
	holder := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "token" {
			holder = a.Value.String()
		}
		return holder == ""
	})
	h.watch.add(holder, trail.AppendRecord(nil, &r))
	return nil
}

// WithAttrs implements [slog.Handler]. The trail's records carry all of their fields.
func (h watchHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h watchHandler) WithGroup(string) slog.Handler { return h }

// watchers are the handlers that keep records for the page.
func (a *App) watchers() []slog.Handler {
	if !a.hasPage {
		return nil
	}
	a.watched = a.state.watch
	return []slog.Handler{watchHandler{a.watched}}
}
