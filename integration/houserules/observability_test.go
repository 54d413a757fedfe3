package houserules_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Where alerts and dashboards are, and what leads from an alert to its runbook.
const (
	alertFiles     = "deploy/observability/alerts/*.yml"
	dashboardFiles = "deploy/observability/dashboards/*.json"
	runbookBase    = "https://github.com/llorch/gateway/blob/main/"
)

// TestObservability: an alert tells what to do, a panel what it shows, and neither names
// a metric that no program has.
func TestObservability(t *testing.T) {
	found, looked := observabilityFaults(t, os.DirFS(root(t)))
	for _, f := range found {
		t.Error(f)
	}
	if looked.alerts == 0 || looked.panels == 0 {
		t.Errorf("looked at %d alerts and %d panels", looked.alerts, looked.panels)
	}
}

// looked counts what was found, so that an empty folder is no success.
type looked struct{ alerts, panels int }

func observabilityFaults(t *testing.T, tree fs.FS) (faults []string, n looked) {
	known := metricNames(t, tree)
	unknown := func(where, expression string) {
		for _, name := range metricsIn(expression) {
			if !known[name] && !foreignMetric.MatchString(name) {
				faults = append(faults, fmt.Sprintf("%s: no program has the metric %s", where, name))
			}
		}
	}
	for _, a := range alertsIn(t, tree) {
		n.alerts++
		unknown(a.Alert, a.Expr)
		faults = append(faults, a.faults(tree)...)
	}
	for file, panels := range panelsIn(t, tree) {
		for _, p := range panels {
			n.panels++
			where := file + ": panel " + p.Title
			faults = append(faults, p.faults(where)...)
			for _, target := range p.Targets {
				unknown(where, target.Expr)
			}
		}
	}
	return faults, n
}

// alert is one rule of a file of alerts.
type alert struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func alertsIn(t *testing.T, tree fs.FS) (all []alert) {
	t.Helper()
	for name, text := range contents(t, tree, alertFiles) {
		var file struct {
			Groups []struct{ Rules []alert }
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

func (a alert) faults(tree fs.FS) (faults []string) {
	if !slices.Contains([]string{"warning", "critical"}, a.Labels["severity"]) {
		faults = append(faults, fmt.Sprintf("%s: the severity is %q, want warning or critical", a.Alert, a.Labels["severity"]))
	}
	if !strings.Contains(a.Annotations["summary"], ": ") {
		faults = append(faults, a.Alert+": the summary does not say, after a colon, what to do")
	}
	runbook, ours := strings.CutPrefix(a.Annotations["runbook_url"], runbookBase)
	if !ours || !strings.Contains(runbook, "#") {
		return append(faults, fmt.Sprintf("%s: the runbook is %q, want a heading below %s", a.Alert, a.Annotations["runbook_url"], runbookBase))
	}
	if err := follow(tree, "README.md", runbook); err != nil {
		faults = append(faults, fmt.Sprintf("%s: runbook %s: %v", a.Alert, runbook, err))
	}
	return faults
}

// panel is one panel of a dashboard.
type panel struct {
	Title, Description string
	Datasource         struct{ UID string }
	FieldConfig        struct{ Defaults struct{ Unit string } }
	Targets            []struct{ Expr string }
}

func panelsIn(t *testing.T, tree fs.FS) map[string][]panel {
	t.Helper()
	all := map[string][]panel{}
	for name, text := range contents(t, tree, dashboardFiles) {
		var file struct{ Panels []panel }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[path.Base(name)] = file.Panels
	}
	return all
}

func (p panel) faults(where string) (faults []string) {
	if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" {
		faults = append(faults, where+": a panel needs title, description and unit")
	}
	if p.Datasource.UID != "${datasource}" {
		faults = append(faults, where+": the data source is not the variable")
	}
	return faults
}

func contents(t *testing.T, tree fs.FS, pattern string) map[string][]byte {
	t.Helper()
	names, err := fs.Glob(tree, pattern)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[name], err = fs.ReadFile(tree, name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

var (
	// foreignMetric are those of Prometheus itself and of its client library.
	foreignMetric = regexp.MustCompile(`^(up|process_[a-z_]+|go_[a-z_]+)$`)
	// programText is a text of the code that may be a metric's name.
	programText = regexp.MustCompile(`"([a-z][a-z0-9]*(?:_[a-z0-9]+)+)"`)
	// aside is what is no metric in an expression: texts, selectors, ranges, times, and lists
	// of labels.
	aside = regexp.MustCompile(`"[^"]*"|\b[0-9]+[smhdw]\b|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	// word is a name, with a bracket behind it where it is a function's.
	word = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	// operators are words that stand between expressions.
	operators = []string{"and", "or", "unless", "bool", "offset"}
)

// metricNames are the names in the programs' code, and the series that Prometheus makes
// of a histogram.
func metricNames(t *testing.T, tree fs.FS) map[string]bool {
	names := map[string]bool{}
	eachFile(t, tree, []string{".go"}, func(name string, content []byte) {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "integration/") {
			return
		}
		for _, m := range programText.FindAllSubmatch(content, -1) {
			for _, end := range []string{"", "_bucket", "_sum", "_count"} {
				names[string(m[1])+end] = true
			}
		}
	})
	return names
}

// metricsIn are the metrics that an expression names.
func metricsIn(expression string) []string {
	names := map[string]bool{}
	for _, w := range word.FindAllString(aside.ReplaceAllString(expression, " "), -1) {
		if !strings.HasSuffix(w, "(") && !slices.Contains(operators, strings.TrimSpace(w)) {
			names[strings.TrimSpace(w)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
