package authmin

import (
	"context"
	"fmt"
	"log/slog"
)

// Handler wraps a log's handler: messages, attributes and errors are logged without
// the tokens that the redactor knows.
func (r *Redactor) Handler(h slog.Handler) slog.Handler { return redactingHandler{r, h} }

type redactingHandler struct {
	redactor *Redactor
	to       slog.Handler
}

// Enabled implements [slog.Handler].
func (h redactingHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.redactor.RedactLine(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redactor.attr(a))
		return true
	})
	return h.to.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler].
func (h redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.redactor.attr(a)
	}
	return redactingHandler{h.redactor, h.to.WithAttrs(clean)}
}

// WithGroup implements [slog.Handler].
func (h redactingHandler) WithGroup(name string) slog.Handler {
	return redactingHandler{h.redactor, h.to.WithGroup(h.redactor.RedactLine(name))}
}

// attr returns an attribute without tokens. A value that is not text is unchanged
// unless it would be printed with one.
func (r *Redactor) attr(a slog.Attr) slog.Attr {
	a.Key = r.RedactLine(a.Key)
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.RedactLine(a.Value.String()))
	case slog.KindGroup:
		group := a.Value.Group()
		clean := make([]slog.Attr, len(group))
		for i := range group {
			clean[i] = r.attr(group[i])
		}
		a.Value = slog.GroupValue(clean...)
	case slog.KindAny:
		printed := fmt.Sprintf("%+v", a.Value.Any())
		if clean := r.RedactLine(printed); len(clean) != len(printed) {
			a.Value = slog.StringValue(clean)
		}
	}
	return a
}
