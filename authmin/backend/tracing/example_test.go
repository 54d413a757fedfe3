package tracing_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/trace"

	"github.com/llorch/gateway/authmin/backend/tracing"
)

// Without OTEL_EXPORTER_OTLP_ENDPOINT there is no provider, and a nil one passes
// requests on as they are.
func Example() {
	p, err := tracing.Start(context.Background(), tracing.Options{Service: "example"})
	fmt.Println(p == nil, err)
	w := httptest.NewRecorder()
	p.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code)
	// Output:
	// true <nil>
	// 404
}

// A caller's trace is continued by one valid traceparent, and by nothing else.
func ExampleContinue() {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, lines := range [][]string{{parent}, {parent, parent}, {"00-0-0-00"}} {
		ctx := tracing.Continue(context.Background(), lines...)
		fmt.Println(trace.SpanContextFromContext(ctx).IsValid())
	}
	// Output:
	// true
	// false
	// false
}
