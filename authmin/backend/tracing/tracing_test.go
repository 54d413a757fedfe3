package tracing

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

// TestMain names a proxy that refuses every connection: the collector is reached
// without it.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		os.Setenv(name, "http://127.0.0.1:9")
	}
	os.Unsetenv("NO_PROXY")
	goleak.VerifyTestMain(m)
}

// off clears what the machine of the test may have set.
func off(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER"} {
		t.Setenv(name, "")
	}
}

// perSecond is the tests' limit.
const perSecond = 100

func options() Options {
	return Options{Service: "test", PerSecond: perSecond, Log: slog.New(slog.DiscardHandler)}
}

func TestTracesAreOffUntilAnEndpointIsSet(t *testing.T) {
	for name, c := range map[string]struct {
		env map[string]string
		on  bool
	}{
		"nothing":      {nil, false},
		"endpoint":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, true},
		"its own":      {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, true},
		"disabled":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "TRUE"}, false},
		"no exporter":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, false},
		"another one":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "true"}, true},
		"not disabled": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "none"}, true},
		"other things": {map[string]string{"OTEL_SERVICE_NAME": "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			off(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			p, err := Start(t.Context(), options())
			if err != nil || (p != nil) != c.on {
				t.Fatalf("got %v, %v, want on = %v", p, err, c.on)
			}
			if (p.Tracer() != nil) != c.on {
				t.Errorf("tracer %v", p.Tracer())
			}
			next := http.NewServeMux()
			if !c.on && p.Handler(next) != http.Handler(next) {
				t.Error("something is in the way of requests although traces are off")
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAProtocolThatIsNotSpokenIsAnError(t *testing.T) {
	off(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := Start(t.Context(), options()); err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Errorf("got %v", err)
	}
}

// recorded serves requests through a provider and counts those whose span is
// recorded, and those that go on with a trace at all.
func recorded(t *testing.T, o Options, requests int, path string, header http.Header) (recorded, traced int) {
	t.Helper()
	off(t)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(t.Context())
	h := p.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if trace.SpanFromContext(r.Context()).IsRecording() {
			recorded++
		}
		if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
			traced++
			if sc.TraceState().Len() > 0 {
				t.Error("the caller's tracestate is kept")
			}
		}
	}))
	for range requests {
		r := httptest.NewRequest("POST", path, nil)
		r.Header = header
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	return recorded, traced
}

// TestNoProxyIsAsked sends a span to a name that is no exception to the rules of
// HTTP_PROXY, as 127.0.0.1 is.
func TestNoProxyIsAsked(t *testing.T) {
	off(t)
	var arrived atomic.Int32
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer sink.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", strings.Replace(sink.URL, "127.0.0.1", "LOCALHOST", 1))
	p, err := Start(t.Context(), options())
	if err != nil {
		t.Fatal(err)
	}
	p.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v2/tasks", nil))
	p.Stop(t.Context())
	if arrived.Load() == 0 {
		t.Error("the span went to the proxy")
	}
}

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"

// TestCallersCannotRaiseTheTraceLimit floods it with requests, with and without
// a sampled trace.
func TestCallersCannotRaiseTheTraceLimit(t *testing.T) {
	const flood = 5 * perSecond
	for name, c := range map[string]struct {
		header  http.Header
		allGoOn bool
	}{
		"the caller's flag": {http.Header{"Traceparent": {"00-" + traceID + "-00f067aa0ba902b7-01"}, "Tracestate": {"a=b"}}, true},
		"no trace":          {nil, false},
	} {
		begin := time.Now()
		n, traced := recorded(t, options(), flood, "/v2/tasks", c.header)
		most := perSecond + int(time.Since(begin).Seconds()*perSecond) + 1
		if n < perSecond || n > most {
			t.Errorf("%s: %d of %d are recorded, want %d to %d", name, n, flood, perSecond, most)
		}
		if c.allGoOn && traced != flood || !c.allGoOn && traced != n {
			t.Errorf("%s: %d of %d go on with a trace", name, traced, flood)
		}
	}
}

func TestWhatACallerSaysOfItsTraceIsChecked(t *testing.T) {
	for header, want := range map[string]int{
		"00-" + traceID + "-00f067aa0ba902b7-00":                            0, // it does not want to be recorded
		"00-" + traceID + "-00f067aa0ba902b7-01":                            1,
		"garbage":                                                           1, // a trace of ours
		"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01":            1,
		"ff-" + traceID + "-00f067aa0ba902b7-01":                            1,
		"01-" + traceID + "-00f067aa0ba902b7-01-" + strings.Repeat("a", 99): 1,
	} {
		if n, _ := recorded(t, options(), 1, "/v2/tasks", http.Header{"Traceparent": {header}}); n != want {
			t.Errorf("%q: %d recorded, want %d", header, n, want)
		}
	}
	long := Continue(context.Background(), "01-"+traceID+"-00f067aa0ba902b7-01-"+strings.Repeat("a", maxTraceparent))
	two := Continue(context.Background(), "00-"+traceID+"-00f067aa0ba902b7-01", "00-"+traceID+"-00f067aa0ba902b7-01")
	if trace.SpanContextFromContext(long).IsValid() || trace.SpanContextFromContext(two).IsValid() {
		t.Error("a header without end, or two of them, are believed")
	}
}

// TestContinueOnlyBeginsNoTrace sends headers of all kinds.
func TestContinueOnlyBeginsNoTrace(t *testing.T) {
	o, good := options(), "00-"+traceID+"-00f067aa0ba902b7-01"
	o.ContinueOnly = true
	for name, c := range map[string]struct {
		lines []string
		want  int
	}{
		"none": {nil, 0}, "an empty one": {[]string{""}, 0}, "garbage": {[]string{"garbage"}, 0}, "two": {[]string{good, good}, 0},
		"one that is not to be recorded": {[]string{strings.TrimSuffix(good, "1") + "0"}, 0}, "one": {[]string{good}, 1},
	} {
		if n, _ := recorded(t, o, 1, "/pools/p/dispatch", http.Header{"Traceparent": c.lines}); n != c.want {
			t.Errorf("%s: %d recorded, want %d", name, n, c.want)
		}
	}
}

func TestSomeRequestsAreNotTraced(t *testing.T) {
	o := options()
	o.Untraced = func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/nodes/") }
	for path, want := range map[string]int{"/health": 0, "/ready": 0, "/metrics": 0, "/poolmanager/metrics": 0, "/v2/nodes/n/heartbeat": 0, "/v2/nodes": 1} {
		if n, _ := recorded(t, o, 1, path, nil); n != want {
			t.Errorf("%s: %d recorded, want %d", path, n, want)
		}
	}
}

// TestACollectorThatHangsDelaysNothing has one that never answers.
func TestACollectorThatHangsDelaysNothing(t *testing.T) {
	off(t)
	var asked atomic.Int32
	quit, given := make(chan struct{}), make(chan struct{}, 100)
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection is not seen
		select {
		case <-r.Context().Done():
			given <- struct{}{}
		case <-quit:
		}
	}))
	defer hung.Close()
	defer close(quit)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", hung.URL)
	p, err := Start(t.Context(), options())
	if err != nil {
		t.Fatal(err)
	}
	h := p.Handler(http.NotFoundHandler())
	for range 10 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v2/tasks", nil))
	}
	begin := time.Now()
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if took := time.Since(begin); took > 4*flushTimeout || asked.Load() == 0 {
		t.Errorf("stopping took %v, asked %d times", took, asked.Load())
	}
	select {
	case <-given:
	case <-time.After(exportTimeout / 2):
		t.Error("the attempt goes on after the stop")
	}
}
