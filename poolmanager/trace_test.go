package poolmanager

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin/backend/tracing"
	"github.com/llorch/gateway/integration/testkit"
	"go.opentelemetry.io/otel/trace"
)

const (
	aTrace       = "4bf92f3577b34da6a3ce929d0e0e4736"
	aTraceparent = "00-" + aTrace + "-00f067aa0ba902b7-01"
)

// traced starts traces that go to a collector which takes everything.
func traced(t *testing.T) *tracing.Provider {
	t.Helper()
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(sink.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	traces, err := startTraces(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil || traces == nil {
		t.Fatalf("got %v, %v", traces, err)
	}
	t.Cleanup(func() { _ = traces.Stop(context.WithoutCancel(t.Context())) })
	return traces
}

func TestWithoutTracesTheClientIsNotWrapped(t *testing.T) {
	c, off := &http.Client{}, (*tracing.Provider)(nil)
	if tracedClient(off.Tracer(), c) != c {
		t.Error("the client of engines is wrapped although traces are off")
	}
}

// TestNoTraceBeginsHere: the orchestrator's are continued.
func TestNoTraceBeginsHere(t *testing.T) {
	recorded := 0
	h := traced(t).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if trace.SpanFromContext(r.Context()).IsRecording() {
			recorded++
		}
	}))
	for _, lines := range [][]string{nil, {aTraceparent}} {
		r := httptest.NewRequest("POST", "/pools/p/dispatch", nil)
		r.Header["Traceparent"] = lines
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if recorded != 1 {
		t.Errorf("%d of two are recorded, want the one that brought a trace", recorded)
	}
}

// TestAProbeBelongsToNoTrace asks as the readiness probe does, and as a dispatch.
func TestAProbeBelongsToNoTrace(t *testing.T) {
	tr := traced(t)
	var got string
	engine := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent") }))
	defer engine.Close()
	c := tracedClient(tr.Tracer(), engineClient())
	defer c.CloseIdleConnections()
	ask := func(traceparent string) string {
		h := tr.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			request, err := http.NewRequestWithContext(r.Context(), "GET", engine.URL+"/health", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}))
		r := httptest.NewRequest("POST", "/pools/p/dispatch", nil)
		r.Header.Set("Traceparent", traceparent)
		h.ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
	if sent := ask(""); sent != "" {
		t.Errorf("a probe sent %q", sent)
	}
	if sent := ask(aTraceparent); !strings.HasPrefix(sent, "00-"+aTrace+"-") || sent == aTraceparent || !strings.HasSuffix(sent, "-01") {
		t.Errorf("a dispatch sent %q", sent)
	}
}

// TestTheLineOfATracedRequestNamesItsRoute: the mux notes it in the request that it gets.
func TestTheLineOfATracedRequestNamesItsRoute(t *testing.T) {
	traced(t) // for the variable
	r := startRig(t, nil)
	r.call(t, "POST", "/pools/p/stop", "", "Authorization", "Bearer "+r.token.Reveal(), "Traceparent", aTraceparent)
	testkit.Eventually(t, "the line", func() bool { return strings.Contains(r.log.String(), "request ended") })
	if want := "route=/pools/{id}/stop pool_id=p status=404"; !strings.Contains(r.log.String(), want) {
		t.Errorf("no %q in the log:\n%s", want, r.log)
	}
}
