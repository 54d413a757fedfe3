package poolmanager

import (
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
)

// maxTraceparent is longer than any version's that we could read: version 00
// has 55 bytes.
const maxTraceparent = 128

// handler makes a span of each request that brings a trace, by a valid
// traceparent and nothing else: tracestate and baggage are not read. A span has
// the method, the route's pattern and the status, nothing of what the caller sent.
func (t *traces) handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines := r.Header["Traceparent"]
		if len(lines) != 1 || len(lines[0]) > maxTraceparent {
			next.ServeHTTP(w, r)
			return
		}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.MapCarrier{"traceparent": lines[0]})
		if !trace.SpanContextFromContext(ctx).IsSampled() || !t.limit.Allow() {
			next.ServeHTTP(w, r)
			return
		}
		ctx, span := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		r = r.WithContext(ctx)
		a := &noted{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(a, r)
		if method, route, ok := strings.Cut(r.Pattern, " "); ok { // of the contract, not the caller's text
			span.SetName(r.Pattern)
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", a.status))
		if a.status >= http.StatusInternalServerError {
			span.SetStatus(otelcodes.Error, "")
		}
	})
}

// client gives the client of engines that makes a span of each request of a
// dispatch, and tells the engine of the trace.
func (t *traces) client(c *http.Client) *http.Client {
	if t == nil {
		return c
	}
	copied := *c
	copied.Transport = &engineTransport{c.Transport, t.tracer}
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
		a := &noted{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(a, r)
		_, route, _ := strings.Cut(r.Pattern, " ") // empty where there is no such route
		log.InfoContext(r.Context(), "request ended", "route", route, "pool_id", authmin.CleanField(r.PathValue("id"), maxLoggedPool),
			"status", a.status, "correlation_id", authmin.CorrelationID(r.Context()))
	})
}

// maxLoggedPool is as long as a pool's id may be.
const maxLoggedPool = 64

// noted remembers the status of an answer.
type noted struct {
	http.ResponseWriter
	status int
	told   bool
}

// WriteHeader notes the first status that is not an interim one.
func (n *noted) WriteHeader(status int) {
	if !n.told && status >= http.StatusOK {
		n.status, n.told = status, true
	}
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }
