package tracing

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// complainEvery is how often a failing collector is logged.
const complainEvery = time.Minute

// exporter sends spans once. When the collector does not take them they are
// dropped, and the log has a line a minute. The error is not logged: it may
// repeat what the collector has answered.
type exporter struct {
	sdktrace.SpanExporter
	life context.Context
	log  *slog.Logger
	lost atomic.Int64
	told atomic.Int64 // when, in Unix nanoseconds
}

// ExportSpans is for the SDK, which calls it from one goroutine.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)()
	if e.SpanExporter.ExportSpans(ctx, spans) == nil {
		return nil
	}
	lost, now := e.lost.Add(int64(len(spans))), time.Now()
	if told := e.told.Load(); told == 0 || now.Sub(time.Unix(0, told)) >= complainEvery {
		e.told.Store(now.UnixNano())
		e.log.Warn("could not export spans: the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not take spans; they are dropped", "dropped", lost)
	}
	return nil
}
