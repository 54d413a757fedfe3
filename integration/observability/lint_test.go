//go:build observability

package observability_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fixedNames are those that break a convention and stay, since others rely on them: the
// contract of the metrics has them. Each has a help text that says what it is, and the five
// in milliseconds have one beside them in seconds.
var fixedNames = []string{
	"latency_first_token_ms", "latency_decode_ms", "orchd_pool_health_check_duration_ms", "drain_duration_ms", "reload_duration_ms",
	"pool_slots_total",
}

// promtool finds nothing wrong with what the programs show, but for names that are fixed.
func lintMetrics(t *testing.T, f *fleet) {
	t.Helper()
	for path, site := range map[string]string{"/metrics": "edge", "/orchestrator/metrics": "edge", "/poolmanager/metrics": "node"} {
		c := f.as("prometheus")
		c.Base = "http://" + f.sites[site]
		res, err := c.Do("GET", path, "")
		if err != nil || res.Status != http.StatusOK {
			t.Fatalf("%s: got %d, %v", path, res.Status, err)
		}
		said, _ := promtool(t, string(res.Body), "check", "metrics")
		for line := range strings.Lines(said) {
			name, _, _ := strings.Cut(line, " ")
			if !slices.Contains(fixedNames, name) {
				t.Errorf("%s: %s", path, strings.TrimSpace(line))
			}
		}
		if path != "/metrics" && !strings.Contains(said, "_ms ") { // both backends have names in milliseconds
			t.Errorf("%s: promtool did not look: %q", path, said)
		}
	}
}
