// Package tracing sends a service's spans to an OpenTelemetry collector, and
// continues the traces that reach it.
//
// It is off, and costs nothing, until OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT)
// is set; the OpenTelemetry SDK reads that and its other variables by itself.
// Spans go over OTLP/HTTP as protobuf.
//
// A caller may bring a trace by its traceparent header, and nothing else: 55
// checked bytes. tracestate and baggage are neither kept nor passed on. Whether
// a trace is recorded is the caller's flag where there is one
// (OTEL_TRACES_SAMPLER, default parentbased_always_on), but no more than
// [Options.PerSecond] traces a second, whatever callers ask for.
//
// A span has the method, the route's pattern and the status of a request, and
// what the service adds, such as the ids of task, node and pool: never a path, a
// query, a header or a body.
//
// See the example of the package, and that of [Continue].
package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

const (
	// exportTimeout bounds one attempt to send; there is no second one.
	exportTimeout = 5 * time.Second
	// flushTimeout bounds what a stop may take for the spans that are left.
	flushTimeout = 500 * time.Millisecond
)

// Options say what is traced.
type Options struct {
	Service string // service.name, unless OTEL_SERVICE_NAME says otherwise
	Version string
	Scope   string // the instrumentation scope, a package path
	Log     *slog.Logger
	// PerSecond bounds the traces that are recorded, whatever callers ask for: a
	// trace is two or three spans in each service, so the queue (the SDK's
	// OTEL_BSP_MAX_QUEUE_SIZE, 2048 spans of about 1 KiB) takes several seconds of
	// a hundred. What does not fit into the queue is dropped.
	PerSecond int
	// ContinueOnly begins no trace: a request without one is not traced.
	ContinueOnly bool
	// Untraced says which requests get no span, besides those for health and metrics.
	Untraced func(*http.Request) bool
}

// Provider makes spans and sends them. A nil one makes none.
type Provider struct {
	o      Options
	sdk    *sdktrace.TracerProvider
	tracer trace.Tracer
	limit  *rate.Limiter
	cut    context.CancelFunc // ends an attempt that still runs
}

// Enabled reports whether the environment asks for traces.
func Enabled() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

// Start gives nil when tracing is off. Nothing is sent before there is a span.
func Start(ctx context.Context, o Options) (*Provider, error) {
	if !Enabled() {
		return nil, nil
	}
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	if protocol != "http/protobuf" {
		return nil, fmt.Errorf("starting traces: OTEL_EXPORTER_OTLP_PROTOCOL is %q; %s sends http/protobuf only", protocol, o.Service)
	}
	// HTTPS_PROXY is often set for other programs: no proxy sees the spans, and the
	// collector's key with them.
	otlp, err := otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}), otlptracehttp.WithTimeout(exportTimeout),
		otlptracehttp.WithProxy(func(*http.Request) (*url.URL, error) { return nil, nil }))
	if err != nil {
		return nil, fmt.Errorf("starting traces: %w", err)
	}
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	attributes := []attribute.KeyValue{attribute.String("service.version", o.Version)}
	if os.Getenv("OTEL_SERVICE_NAME") == "" {
		attributes = append(attributes, attribute.String("service.name", o.Service))
	}
	about, err := resource.Merge(resource.Default(), resource.NewSchemaless(attributes...))
	if err != nil {
		cut()
		return nil, fmt.Errorf("starting traces: %w", err)
	}
	p := &Provider{o: o, limit: rate.NewLimiter(rate.Limit(o.PerSecond), o.PerSecond), cut: cut}
	p.sdk = sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&exporter{SpanExporter: otlp, life: life, log: o.Log}), sdktrace.WithResource(about))
	p.tracer = p.sdk.Tracer(o.Scope)
	o.Log.InfoContext(ctx, "traces are sent to the collector of OTEL_EXPORTER_OTLP_ENDPOINT", "service", o.Service)
	return p, nil
}

// Tracer makes spans; nil when there is no provider.
func (p *Provider) Tracer() trace.Tracer {
	if p == nil {
		return nil
	}
	return p.tracer
}

// Stop sends what is left, within its limit, and ends everything.
func (p *Provider) Stop(ctx context.Context) error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	defer p.cut()
	if err := p.sdk.Shutdown(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("ending traces: %w", err)
	}
	return nil // the collector was too slow: its loss
}
