package tracing

import (
	"context"
	"net/http"
	"strings"

	"github.com/llorch/gateway/authmin/backend"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxTraceparent is longer than any version's that we could read: version 00
// has 55 bytes.
const maxTraceparent = 128

// Handler makes a span of each request. Put it inside the credential check:
// requests without a valid credential are not traced, nor are health and metrics.
func (p *Provider) Handler(next http.Handler) http.Handler {
	if p == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.skips(r) {
			next.ServeHTTP(w, r)
			return
		}
		ctx, ok := p.admit(Continue(r.Context(), r.Header["Traceparent"]...))
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		p.serve(w, r.WithContext(ctx), next)
	})
}

func (p *Provider) skips(r *http.Request) bool {
	return r.URL.Path == backend.HealthPath || r.URL.Path == backend.ReadyPath || strings.HasSuffix(r.URL.Path, "/metrics") || p.o.Untraced != nil && p.o.Untraced(r)
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	ctx, span := p.tracer.Start(r.Context(), methodName(r.Method), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	r = r.WithContext(ctx)
	answer := &backend.StatusWriter{ResponseWriter: w, Status: http.StatusOK}
	next.ServeHTTP(answer, r)
	if _, route, ok := strings.Cut(r.Pattern, " "); ok { // of the contract, not the caller's text
		span.SetName(methodName(r.Method) + " " + route)
		span.SetAttributes(attribute.String("http.route", route))
	}
	span.SetAttributes(attribute.String("http.request.method", methodName(r.Method)), attribute.Int("http.response.status_code", answer.Status))
	if answer.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// methodName keeps a caller's text out of a span.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER" // the conventions' word
}

// Continue puts a caller's trace into the context if there is exactly one
// traceparent and it is valid. Other trace headers of the caller are ignored.
func Continue(ctx context.Context, traceparent ...string) context.Context {
	if len(traceparent) != 1 || len(traceparent[0]) > maxTraceparent {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent[0]})
}

// admit bounds how many traces are recorded: one over the limit goes on
// unrecorded, and one that would begin here does not begin.
func (p *Provider) admit(ctx context.Context) (context.Context, bool) {
	parent := trace.SpanContextFromContext(ctx)
	if p.o.ContinueOnly && !parent.IsValid() {
		return ctx, false
	}
	if parent.IsValid() && !parent.IsSampled() || p.limit.Allow() {
		return ctx, true
	}
	if !parent.IsValid() {
		return ctx, false
	}
	return trace.ContextWithRemoteSpanContext(ctx, parent.WithTraceFlags(parent.TraceFlags()&^trace.FlagsSampled)), true
}
