package houserules_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestObservabilityCanFail(t *testing.T) {
	const (
		code  = "package x\n\nconst name = \"llorch_things_total\"\n"
		rule  = "groups:\n- rules:\n  - alert: A\n    expr: sum by (job) (rate(llorch_things_total{reason=~\"a_b\"}[5m])) > 1 and up\n    labels: {severity: warning}\n    annotations:\n      summary: 'Broken: mend it.'\n      runbook_url: " + runbookBase + "docs/a.md#mend\n"
		panel = `{"panels":[{"title":"T","description":"D","datasource":{"uid":"${datasource}"},"fieldConfig":{"defaults":{"unit":"s"}},"targets":[{"expr":"histogram_quantile(0.9, llorch_things_total_bucket)"}]}]}`
	)
	for name, c := range map[string]struct {
		old, now string
		faults   int
	}{
		"as it should be":                  {"", "", 0},
		"another metric":                   {"(llorch_things_total{", "(llorch_thing_total{", 1},
		"another one, without a selector":  {"and up", "and upper", 1},
		"no severity":                      {"severity: warning", "level: warning", 1},
		"a severity of its own":            {"severity: warning", "severity: page", 1},
		"a summary without what to do":     {"Broken: mend it.", "Broken.", 1},
		"a runbook that is elsewhere":      {runbookBase, "https://example.com/", 1},
		"a runbook without a heading":      {"#mend", "", 1},
		"a heading that is not there":      {"#mend", "#repair", 1},
		"a document that is not there":     {"docs/a.md", "docs/b.md", 1},
		"a panel with another metric":      {"things_total_bucket", "thing_total_bucket", 1},
		"a panel without a unit":           {`"unit":"s"`, `"unit":""`, 1},
		"a panel without a description":    {`"description":"D"`, `"text":"D"`, 1},
		"a panel with a source of its own": {"${datasource}", "mine", 1},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(text string) []byte { return []byte(strings.Replace(text, c.old, c.now, 1)) }
			tree := fstest.MapFS{
				"x/x.go": {Data: []byte(code)}, "docs/a.md": {Data: []byte("# Mend\n")}, "README.md": {Data: []byte("x")},
				"deploy/observability/alerts/a.yml":      {Data: change(rule)},
				"deploy/observability/dashboards/a.json": {Data: change(panel)},
			}
			if found, _ := observabilityFaults(t, tree); len(found) != c.faults {
				t.Errorf("got %q, want %d", found, c.faults)
			}
		})
	}
}

func TestMetricsAreFoundInExpressions(t *testing.T) {
	const expression = `histogram_quantile(0.95, sum by (job, le) (rate(a_seconds_bucket{x="b_c"}[10m]))) > 5 or d_total / on (job, instance) e_f offset 5m > bool 0.9`
	if got := metricsIn(expression); !slices.Equal(got, []string{"a_seconds_bucket", "d_total", "e_f"}) {
		t.Errorf("got %q", got)
	}
}
