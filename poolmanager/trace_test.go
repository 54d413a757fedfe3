package poolmanager

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"go.opentelemetry.io/otel/trace"
)

const (
	aTrace       = "4bf92f3577b34da6a3ce929d0e0e4736"
	aTraceparent = "00-" + aTrace + "-00f067aa0ba902b7-01"
)

// traced starts traces that go to a collector which takes everything.
func traced(t *testing.T) *traces {
	t.Helper()
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(sink.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	traces, err := startTraces(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil || traces == nil {
		t.Fatalf("got %v, %v", traces, err)
	}
	t.Cleanup(func() { traces.stop(t.Context()) })
	return traces
}

func TestTracesAreOffUntilAnEndpointIsSet(t *testing.T) {
	for _, env := range []map[string]string{
		nil,
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
	} {
		for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"} {
			t.Setenv(name, env[name])
		}
		off, err := startTraces(t.Context(), slog.New(slog.DiscardHandler))
		if err != nil || off != nil {
			t.Errorf("%v: got %v, %v, want none", env, off, err)
		}
		c, next := &http.Client{}, http.NewServeMux()
		if off.client(c) != c || off.handler(next) != http.Handler(next) {
			t.Errorf("%v: something is in the way although traces are off", env)
		}
		off.stop(t.Context())
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
	t.Setenv("OTEL_TRACES_EXPORTER", "")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := startTraces(t.Context(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Errorf("a protocol that is not spoken: got %v", err)
	}
}

// TestOnlyWhatBringsATraceIsRecordedAndNotWithoutLimit sends headers of all kinds.
func TestOnlyWhatBringsATraceIsRecordedAndNotWithoutLimit(t *testing.T) {
	tr := traced(t)
	recorded := 0
	h := tr.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
			recorded++
			if sc := span.SpanContext(); sc.TraceID().String() != aTrace || sc.TraceState().Len() > 0 {
				t.Errorf("recorded as %v", sc)
			}
		}
	}))
	send := func(lines ...string) {
		r := httptest.NewRequest("POST", "/pools/p/dispatch", nil)
		r.Header["Traceparent"], r.Header["Tracestate"] = lines, []string{"a=b"}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, lines := range [][]string{
		nil, {""}, {"garbage"}, {aTraceparent, aTraceparent}, {strings.TrimSuffix(aTraceparent, "1") + "0"},
		{"01" + strings.TrimPrefix(aTraceparent, "00") + "-" + strings.Repeat("a", maxTraceparent)},
	} {
		if send(lines...); recorded != 0 {
			t.Fatalf("%q is recorded", lines)
		}
	}
	begin := time.Now()
	for range 3 * tracesPerSecond {
		send(aTraceparent)
	}
	if most := tracesPerSecond + int(time.Since(begin).Seconds()*tracesPerSecond) + 1; recorded < tracesPerSecond || recorded > most {
		t.Errorf("%d are recorded, want %d to %d", recorded, tracesPerSecond, most)
	}
}

// TestAProbeBelongsToNoTrace asks as the readiness probe does, and as a dispatch.
func TestAProbeBelongsToNoTrace(t *testing.T) {
	tr := traced(t)
	var got string
	engine := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent") }))
	defer engine.Close()
	c := tr.client(engineClient())
	defer c.CloseIdleConnections()
	ask := func(traceparent string) string {
		h := tr.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
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
