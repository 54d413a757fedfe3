//go:build observability

package observability_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// builtTools is where promtool and prometheus are: in a folder of the first test that asks.
var builtTools struct {
	once sync.Once
	dir  string
	err  error
	said []byte
}

// tool is the path of promtool or prometheus. Service discovery is left out, which is half
// of Prometheus, and so are optimizations, which are a third of the time.
func tool(t *testing.T, name string) string {
	t.Helper()
	b := &builtTools
	b.once.Do(func() {
		b.dir = sharedFolder
		args := []string{"build", "-tags", "remove_all_sd", "-ldflags=-s -w"}
		for _, owner := range []string{"github.com", "k8s.io", "sigs.k8s.io", "go.opentelemetry.io", "golang.org", "google.golang.org", "cloud.google.com"} {
			args = append(args, "-gcflags="+owner+"/...=-N -l")
		}
		const prometheus = "github.com/prometheus/prometheus/cmd/"
		cmd := exec.Command("go", append(args, "-o", b.dir+"/", prometheus+"promtool", prometheus+"prometheus")...)
		cmd.Dir = filepath.Join(root(t), "integration", "prometheus")
		b.said, b.err = cmd.CombinedOutput()
	})
	if b.err != nil {
		t.Fatalf("building Prometheus: %v\n%s", b.err, b.said)
	}
	return filepath.Join(b.dir, name)
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// promtool runs it, and returns all that it says.
func promtool(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(tool(t, "promtool"), args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// files are those of deploy/observability that match.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root(t), "deploy", "observability", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	return found
}

// The rules can be read, and each fires when it should and not when it should not.
func TestRules(t *testing.T) {
	for kind, pattern := range map[string]string{"check": "alerts/*.yml", "test": "alerts/tests/*.yml"} {
		if out, err := promtool(t, "", append([]string{kind, "rules"}, files(t, pattern)...)...); err != nil {
			t.Errorf("promtool %s rules: %v\n%s", kind, err, out)
		}
	}
}

// scrapeBlock is the configuration that the document shows.
var scrapeBlock = regexp.MustCompile("(?ms)^```yaml\n(rule_files:.*?)^```$")

// The configuration in the document is one for Prometheus.
func TestDocumentedConfiguration(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "deploy", "docs", "observability.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := scrapeBlock.FindSubmatch(text)
	if found == nil {
		t.Fatal("the document has no block that begins with rule_files")
	}
	config := filepath.Join(t.TempDir(), "prometheus.yaml")
	if err := os.WriteFile(config, found[1], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "", "check", "config", "--syntax-only", config); err != nil {
		t.Errorf("promtool check config: %v\n%s", err, out)
	}
}
