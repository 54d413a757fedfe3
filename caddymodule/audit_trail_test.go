package caddymodule

import (
	"os"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// chainKey is the key of these tests' chains.
var chainKey = authmin.NewSecret("canary-chain-0123456789abcdefghijklmnop")

func contentOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

func expectWhole(t *testing.T, path string) trail.Report {
	t.Helper()
	report, err := trail.Verify([]string{path}, chainKey, time.Now())
	if err != nil {
		t.Errorf("an untouched chain: %v\n%s", err, contentOf(t, path))
	}
	return report
}

func valueOf(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}
