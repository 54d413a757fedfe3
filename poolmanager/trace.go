package poolmanager

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

const (
	// tracesPerSecond bounds the traces that are recorded, whoever asks: more
	// than three orchestrators let through (100 each), two spans a trace. The
	// SDK's queue has 2048 spans; what does not fit is dropped.
	tracesPerSecond = 400
	// traceExportLimit bounds one attempt to send; there is no second one.
	traceExportLimit = 5 * time.Second
	// traceFlushLimit bounds what a stop may take for the spans that are left.
	traceFlushLimit = 300 * time.Millisecond
	// traceComplainEvery is how often a collector that takes nothing is worth a line.
	traceComplainEvery = time.Minute
)

// traces sends the spans of dispatches to an OpenTelemetry collector. It is off,
// and nil, until OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) is set; the
// SDK reads that and its other variables by itself. It continues the
// orchestrator's traces and begins none of its own.
type traces struct {
	sdk    *sdktrace.TracerProvider
	tracer trace.Tracer
	limit  *rate.Limiter
	cut    context.CancelFunc
}

func tracesWanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

func startTraces(ctx context.Context, log *slog.Logger) (*traces, error) {
	if !tracesWanted() {
		return nil, nil
	}
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	if protocol != "http/protobuf" {
		return nil, fmt.Errorf("starting traces: OTEL_EXPORTER_OTLP_PROTOCOL is %q; the pool manager sends http/protobuf only", protocol)
	}
	otlp, err := otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}), otlptracehttp.WithTimeout(traceExportLimit), otlptracehttp.WithProxy(noProxy))
	if err != nil {
		return nil, fmt.Errorf("starting traces: %w", err)
	}
	attributes := []attribute.KeyValue{attribute.String("service.version", Version)}
	if os.Getenv("OTEL_SERVICE_NAME") == "" {
		attributes = append(attributes, attribute.String("service.name", "llorch-poolmanager"))
	}
	about, err := resource.Merge(resource.Default(), resource.NewSchemaless(attributes...))
	if err != nil {
		return nil, fmt.Errorf("starting traces: %w", err)
	}
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	t := &traces{limit: rate.NewLimiter(tracesPerSecond, tracesPerSecond), cut: cut}
	t.sdk = sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&traceExporter{SpanExporter: otlp, life: life, log: log}), sdktrace.WithResource(about))
	t.tracer = t.sdk.Tracer("github.com/llorch/gateway/poolmanager")
	return t, nil
}

// noProxy is for what would otherwise read HTTPS_PROXY: see orchestratorClient. The
// collector's own key, if it has one, travels with the spans.
func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// stop sends what is left, within its limit; what a slow collector does not take
// by then is lost.
func (t *traces) stop(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, traceFlushLimit)
	defer cancel()
	defer t.cut()
	_ = t.sdk.Shutdown(ctx)
}

// traceExporter sends spans once. When the collector does not take them they
// are dropped, and the log has a line a minute. The error is not logged: it may
// repeat what the collector has answered.
type traceExporter struct {
	sdktrace.SpanExporter
	life context.Context
	log  *slog.Logger
	lost atomic.Int64
	told atomic.Int64 // when, in Unix nanoseconds
}

// ExportSpans is for the SDK, which calls it from one goroutine.
func (e *traceExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithTimeout(ctx, traceExportLimit)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)()
	if e.SpanExporter.ExportSpans(ctx, spans) == nil {
		return nil
	}
	lost, now := e.lost.Add(int64(len(spans))), time.Now()
	if told := e.told.Load(); told == 0 || now.Sub(time.Unix(0, told)) >= traceComplainEvery {
		e.told.Store(now.UnixNano())
		e.log.Warn("the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not take spans; they are dropped", "dropped", lost)
	}
	return nil
}
