//go:build observability

package observability_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// evaluateDashboards evaluates every query as Grafana would, over a minute.
func evaluateDashboards(t *testing.T, s *server) {
	t.Helper()
	queries := 0
	for _, file := range files(t, "dashboards/*.json") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				queries++
				s.hasResult(t, filepath.Base(file)+": "+p.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
			}
		}
	}
	if queries == 0 {
		t.Error("the dashboards have no query")
	}
	t.Logf("%d queries were evaluated", queries)
}

func (s *server) hasResult(t *testing.T, panel, expression string) {
	t.Helper()
	if err := testkit.Poll(startLimit, func() error {
		n, err := s.query(expression)
		if err == nil && n == 0 {
			err = fmt.Errorf("the result is empty")
		}
		return err
	}); err != nil {
		t.Errorf("%s: %s: %v", panel, expression, err)
	}
}
