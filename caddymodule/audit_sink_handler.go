package caddymodule

import (
	"context"
	"log/slog"
	"sync"

	"github.com/llorch/gateway/caddymodule/trail"
)

// sinkHandler is the [slog.Handler] of one sink.
type sinkHandler struct {
	sink *trail.Sink
	wait bool // until the kernel has the record
}

// Enabled implements [slog.Handler]: every sink has the whole trail.
func (sinkHandler) Enabled(context.Context, slog.Level) bool { return true }

var recordBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, trail.MaxRecord)
	return &b
}}

// Handle implements [slog.Handler]. It returns an error only if it waits; otherwise the
// sink counts lost records.
func (h sinkHandler) Handle(_ context.Context, r slog.Record) error {
	if d := decisionOf(&r); d != nil {
		return h.put(d.json(), d.expendable)
	}
	buf := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(buf)
	*buf = trail.AppendRecord((*buf)[:0], &r)
	return h.put(*buf, isExpendable(r.Message))
}

func (h sinkHandler) put(line []byte, expendable bool) error {
	err := h.sink.Put(trail.Record{Line: line, Wait: h.wait, Expendable: expendable})
	if !h.wait {
		return nil
	}
	return err
}

// WithAttrs implements [slog.Handler]. The trail's records carry all of their
// fields.
func (h sinkHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h sinkHandler) WithGroup(string) slog.Handler { return h }
