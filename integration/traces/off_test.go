package traces_test

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// TestTheGatewayTracesOnlyWhenAsked reads the Caddyfile that up would run. In it
// the tracing stands behind the guard: what that refuses is not traced.
func TestTheGatewayTracesOnlyWhenAsked(t *testing.T) {
	for env, want := range map[string]bool{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318":                  true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces": true,
		"OTEL_EXPORTER_OTLP_ENDPOINT=":                                       false,
		"OTEL_SERVICE_NAME=x":                                                false,
	} {
		out, err := gatewaytest.Command(t, []string{env}, "up", "--print-config", "--data-dir", t.TempDir()).Output()
		if err != nil {
			t.Fatalf("%s: %v", env, err)
		}
		text := string(out)
		if got := strings.Contains(text, "tracing"); got != want {
			t.Errorf("%s: traces = %v, want %v", env, got, want)
		}
		if want && strings.Index(text, "tracing @traced") < strings.Index(text, "\thandle {") {
			t.Errorf("%s: tracing is not inside of the handle after the guard:\n%s", env, text)
		}
	}
}
