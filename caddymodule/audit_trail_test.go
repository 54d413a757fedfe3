package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// chainedLines are the lines of a chain of 12: opened, records 1 to 10, closed.
func chainedLines(t *testing.T) (path string, lines []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit")
	sink := trail.NewFile(path, chainKey, trail.Options{})
	if err := sink.Start(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 10; n++ {
		if err := sink.Put(trail.Record{Line: fmt.Appendf(nil, `{"event":"auth_success","k":%d}`, n), Wait: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Stop(); err != nil {
		t.Fatal(err)
	}
	lines = strings.SplitAfter(contentOf(t, path), "\n")
	return path, lines[:len(lines)-1]
}

func valueOf(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}
