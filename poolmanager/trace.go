package poolmanager

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/backend/tracing"
)

// tracesPerSecond bounds the traces that are recorded: more than three
// orchestrators let through (100 each), two spans a trace.
const tracesPerSecond = 400

// startTraces continues the orchestrator's traces and begins no others.
func startTraces(ctx context.Context, log *slog.Logger) (*tracing.Provider, error) {
	return tracing.Start(ctx, tracing.Options{
		Service: "llorch-poolmanager", Version: Version, Scope: "github.com/llorch/gateway/poolmanager", Log: log,
		PerSecond: tracesPerSecond, ContinueOnly: true,
	})
}

// tracedClient gives the client of engines that makes a span of each request of a
// dispatch, and tells the engine of the trace.
func tracedClient(tracer trace.Tracer, c *http.Client) *http.Client {
	if tracer == nil {
		return c
	}
	copied := *c
	copied.Transport = &engineTransport{c.Transport, tracer}
	return &copied
}

type engineTransport struct {
	base   http.RoundTripper
	tracer trace.Tracer
}

// CloseIdleConnections is for http.Client.
func (e *engineTransport) CloseIdleConnections() {
	if c, ok := e.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip is for http.Client. The span ends with the answer's body. Probes,
// which belong to no trace, have none.
func (e *engineTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsSampled() {
		return e.base.RoundTrip(r)
	}
	ctx, span := e.tracer.Start(r.Context(), "engine "+r.Method+" "+r.URL.Path, // paths of ours
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("http.request.method", r.Method)))
	r = r.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	response, err := e.base.RoundTrip(r)
	if err != nil {
		span.SetStatus(otelcodes.Error, "unreachable") // the error may have the engine's text
		span.End()
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	response.Body = &spanBody{ReadCloser: response.Body, end: sync.OnceFunc(func() { span.End() })}
	return response, nil
}

// spanBody ends a span when the body is closed.
type spanBody struct {
	io.ReadCloser
	end func()
}

// Close ends the span as well.
func (b *spanBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

// requestLog writes a line for each command and dispatch, with the correlation
// id of the request that it is for.
func requestLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		a := &backend.StatusWriter{ResponseWriter: w, Status: http.StatusOK}
		next.ServeHTTP(a, r)
		_, route, _ := strings.Cut(r.Pattern, " ") // empty without such a route
		log.InfoContext(r.Context(), "request ended", "route", route, "pool_id", authmin.CleanField(r.PathValue("id"), maxLoggedPool),
			"status", a.Status, "correlation_id", authmin.CorrelationID(r.Context()))
	})
}

// maxLoggedPool is as long as a pool's id may be.
const maxLoggedPool = 64
