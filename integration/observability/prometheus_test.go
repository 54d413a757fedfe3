//go:build observability

package observability_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// server is a Prometheus that runs.
type server struct{ gatewaytest.Client }

// waits is how long a condition must hold before its alert fires: no time, in the test.
var waits = regexp.MustCompile(`(?m)^( +for: )\S+$`)

// startPrometheus starts a server that scrapes the fleet as the document says, but twice a
// second.
func startPrometheus(t *testing.T, f *fleet) *server {
	t.Helper()
	address, dir := testkit.FreeAddress(t), t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, file := range files(t, "alerts/*.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Base(file), waits.ReplaceAll(text, []byte("${1}0s")))
	}
	token := write("token", []byte(f.tokens["prometheus"]))
	config := "global:\n  scrape_interval: 500ms\n  evaluation_interval: 500ms\nrule_files: [\"" + dir + "/*.yml\"]\nscrape_configs:\n"
	for _, job := range []struct{ name, path, targets string }{
		{"llorch-gateway", "/metrics", f.sites["edge"]},
		{"llorch-orchestrator", "/orchestrator/metrics", f.sites["edge"] + ", " + f.sites["replica2"] + ", " + f.sites["replica3"]},
		{"llorch-poolmanager", "/poolmanager/metrics", f.sites["node"]},
	} {
		config += fmt.Sprintf("  - job_name: %s\n    metrics_path: %s\n    authorization:\n      credentials_file: %s\n    static_configs:\n      - targets: [%s]\n",
			job.name, job.path, token, quoted(job.targets))
	}
	cmd := exec.Command(tool(t, "prometheus"), "--config.file="+write("prometheus.yaml", []byte(config)),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	cmd.Dir = dir
	gatewaytest.StartCommand(t, cmd).Listening(t, address)
	return &server{gatewaytest.Client{Base: "http://" + address}}
}

func quoted(list string) string { return `"` + strings.ReplaceAll(list, ", ", `", "`) + `"` }

// get asks the API of Prometheus.
func (s *server) get(path string, into any) error {
	res, err := s.Do("GET", "/api/v1/"+path, "")
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	if err := json.Unmarshal(res.Body, &answer); err != nil {
		return fmt.Errorf("status %d: %w", res.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("status %d: %s", res.Status, answer.Error)
	}
	return nil
}

// query evaluates an expression, and returns the number of series in its result.
func (s *server) query(expression string) (int, error) {
	var data struct{ Result []json.RawMessage }
	err := s.get("query?query="+url.QueryEscape(expression), &data)
	return len(data.Result), err
}

// alert is one that is pending or fires.
type alert struct {
	Labels, Annotations map[string]string
	State               string
}

// firing are the alerts that fire, by name.
func (s *server) firing() (map[string]alert, error) {
	var data struct{ Alerts []alert }
	if err := s.get("alerts", &data); err != nil {
		return nil, err
	}
	found := map[string]alert{}
	for _, a := range data.Alerts {
		if a.State == "firing" {
			found[a.Labels["alertname"]] = a
		}
	}
	return found, nil
}

// rules are the names of all alerts.
func (s *server) rules() ([]string, error) {
	var data struct {
		Groups []struct {
			Rules []struct{ Name, LastError string }
		}
	}
	if err := s.get("rules?type=alert", &data); err != nil {
		return nil, err
	}
	var names []string
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			if r.LastError != "" {
				return nil, fmt.Errorf("rule %s: %s", r.Name, r.LastError)
			}
			names = append(names, r.Name)
		}
	}
	return names, nil
}
