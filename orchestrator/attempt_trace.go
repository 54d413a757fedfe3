package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A request and the dispatch of its task are one trace, across the queue and a
// restart: the task's record keeps the request's traceparent.

// traceparent gives the context's trace as the W3C's header has it; "" when
// there is none.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(ctx, sc.WithTraceState(trace.TraceState{})), carrier)
	}
	return carrier["traceparent"]
}

// span begins the span of one dispatch, as a child of the request's. It also
// puts the trace and the correlation id into the context, from where the node gets them.
func (a *attempt) span(ctx context.Context, t Task) (context.Context, trace.Span) {
	ctx = authmin.WithCorrelationID(ctx, t.CorrelationID)
	if a.o.tracer == nil || t.Traceparent == "" {
		return ctx, trace.SpanFromContext(context.Background())
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": t.Traceparent})
	return a.o.tracer.Start(ctx, "dispatch", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("llorch.task_id", t.TaskID), attribute.String("llorch.node_id", a.l.nodeID),
		attribute.String("llorch.pool_id", a.l.poolID), attribute.Int("llorch.attempt", t.Attempt),
		// By the conventions for generative AI: the present name, and the one before it,
		// which readers of traces still look for.
		attribute.String("gen_ai.provider.name", a.l.engine), attribute.String("gen_ai.system", a.l.engine),
		attribute.String("gen_ai.operation.name", a.request.operation()),
		attribute.String("gen_ai.request.model", t.ModelRef), attribute.String("gen_ai.response.model", t.model()),
	))
}

// usageAttributes are the tokens of a call under their present names, and under those
// before them.
func usageAttributes(in, out int) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Int("gen_ai.usage.input_tokens", in), attribute.Int("gen_ai.usage.output_tokens", out),
		attribute.Int("gen_ai.usage.prompt_tokens", in), attribute.Int("gen_ai.usage.completion_tokens", out),
	}
}

// endSpan records how the dispatch ended, in words of our own: an error's text may be a
// node's.
func endSpan(span trace.Span, end nodeapi.Event, err error) {
	defer span.End()
	var refused *nodeapi.StatusError
	switch {
	case errors.As(err, &refused):
		span.SetAttributes(attribute.Int("http.response.status_code", refused.Status))
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(refused.Status)))
		span.SetStatus(codes.Error, "refused")
	case err != nil:
		span.SetAttributes(attribute.String("error.type", "broken"))
		span.SetStatus(codes.Error, "broken")
	case end.Type == nodeapi.EventError:
		span.SetAttributes(attribute.String("error.type", codeLabel(code(end.Code, "ENGINE_ERROR"))))
		span.SetStatus(codes.Error, "engine")
	default:
		span.SetAttributes(usageAttributes(end.TokensIn, end.TokensOut)...)
	}
}

// correlation gives the id by which a task's caller, and the gateway's audit,
// know the request.
func (e *taskEntry) correlation() string { return e.view().CorrelationID }

// propagating sends with each call the correlation id and the trace of its context.
type propagating struct{ base http.RoundTripper }

// propagate gives a client that does so.
func propagate(c *http.Client) *http.Client {
	copied := *c
	copied.Transport = propagating{c.Transport}
	return &copied
}

// RoundTrip is for http.Client.
func (t propagating) RoundTrip(r *http.Request) (*http.Response, error) {
	id, parent := authmin.CorrelationID(r.Context()), traceparent(r.Context())
	if id != "" || parent != "" {
		r = r.Clone(r.Context())
	}
	if id != "" {
		r.Header.Set(authmin.HeaderCorrelationID, id)
	}
	if parent != "" {
		r.Header.Set("Traceparent", parent)
	}
	return t.base.RoundTrip(r)
}
