//go:build packages

package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

var (
	units       = []string{"orchestratord.service", "poolmanagerd.service", "llorch-gateway.service"}
	users       = []string{"llorch-gateway", "llorch-orchestrator", "llorch-poolmanager"}
	credentials = []string{"api_token", "dispatch_token", "orchestrator_api_token", "orchestrator_token", "poolmanager_api_token", "upstream_token"}
	conffiles   = []string{"/etc/llorch/Caddyfile", "/etc/llorch/orchestratord.yaml", "/etc/llorch/poolmanagerd.yaml"}
	state       = []string{"/var/lib/llorch-gateway", "/var/lib/llorch-orchestrator", "/var/lib/llorch-poolmanager", "/var/log/llorch"}
)

// TestDeb takes one machine through an installation, its first requests, an upgrade, a
// removal and a purge.
func TestDeb(t *testing.T) {
	s := newSystem(t)
	in := func(version string) string { return "/packages/" + filepath.Base(packageFile(t, version, "deb")) }
	blocks := document(t)
	s.sh("mkdir dist && ln -s " + in("0.0.1") + " dist/llorch_1.0.0_amd64.deb")
	s.sh(blocks[1])
	if calls := s.called(); !strings.Contains(calls, "enable --now orchestratord poolmanagerd llorch-gateway") {
		t.Errorf("the document starts %q", calls)
	}
	s.run("dpkg", "--purge", "llorch")
	s.sh("rm -r /etc/llorch")
	s.called()

	s.run("dpkg", "--install", in("0.0.1"))
	s.installed()
	if got := strings.Fields(s.run("dpkg-query", "--show", "--showformat=${Conffiles}", "llorch")); !containsAll(got, conffiles) {
		t.Errorf("conffiles %q, want %q", got, conffiles)
	}
	if calls := s.called(); strings.Contains(calls, " start") || strings.Contains(calls, "enable") {
		t.Errorf("an installation starts or enables units:\n%s", calls)
	}
	s.run("systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/llorch-gateway.service", "/usr/lib/systemd/system/orchestratord.service", "/usr/lib/systemd/system/poolmanagerd.service")
	task, stop := s.firstTask()
	if out := s.sh(blocks[2]); !strings.Contains(out, `"demo"`) {
		t.Errorf("the document's call prints %s", out)
	}
	stop()

	before := s.kept()
	s.sh("echo '# of the operator' >>/etc/llorch/orchestratord.yaml")
	s.run("dpkg", "--install", in("0.0.2"))
	if calls := s.called(); strings.Count(calls, "try-restart") != len(units) || strings.Contains(calls, "disable") {
		t.Errorf("an upgrade restarts what runs, got\n%s", calls)
	}
	if s.kept() != before || s.sh("tail -n 1 /etc/llorch/orchestratord.yaml") != "# of the operator" {
		t.Error("the upgrade changed credentials, state or a changed file of the configuration")
	}
	stop = s.serve()
	s.succeeds("GET", "/v2/tasks/"+task, "")
	stop()

	s.removed(in("0.0.2"), before)
}

// removed takes the package away, brings it back, and purges it.
func (s *system) removed(again, before string) {
	s.t.Helper()
	s.run("dpkg", "--remove", "llorch")
	if calls := s.called(); strings.Count(calls, "disable --now") != 1 {
		s.t.Errorf("a removal stops the units, got\n%s", calls)
	}
	for _, path := range []string{"/usr/bin/llorch", "/usr/lib/systemd/system/orchestratord.service"} {
		s.run("test", "!", "-e", path)
	}
	for _, path := range slices.Concat(conffiles, state) {
		s.run("test", "-e", path)
	}
	s.run("dpkg", "--install", again)
	if s.kept() != before {
		s.t.Error("a removal and another installation changed credentials or state")
	}
	out := s.run("dpkg", "--purge", "llorch")
	for _, path := range append(state, "/etc/llorch/credentials") {
		s.run("test", "-e", path)
		if !strings.Contains(out, path) {
			s.t.Errorf("the purge does not say that it leaves %s:\n%s", path, out)
		}
	}
	for _, path := range conffiles {
		s.run("test", "!", "-e", path)
	}
}

// TestRPM does the same with rpm, whose scripts get other arguments, without the requests.
func TestRPM(t *testing.T) {
	s := newSystem(t)
	in := func(version string) string { return "/packages/" + filepath.Base(packageFile(t, version, "rpm")) }
	s.run("rpm", "--install", "--nodeps", in("0.0.1"))
	s.installed()
	s.called()
	before := s.kept()
	s.sh("echo '# of the operator' >>/etc/llorch/orchestratord.yaml")
	s.run("rpm", "--upgrade", "--nodeps", in("0.0.2"))
	if calls := s.called(); strings.Count(calls, "try-restart") != len(units) || strings.Contains(calls, "disable") {
		t.Errorf("an upgrade restarts what runs, got\n%s", calls)
	}
	if s.kept() != before || s.sh("tail -n 1 /etc/llorch/orchestratord.yaml") != "# of the operator" {
		t.Error("the upgrade changed credentials, state or a changed file of the configuration")
	}
	out := s.run("rpm", "--erase", "llorch")
	if calls := s.called(); strings.Count(calls, "disable --now") != 1 {
		t.Errorf("a removal stops the units, got\n%s", calls)
	}
	s.run("test", "!", "-e", "/usr/bin/llorch")
	if s.kept() != before || !strings.Contains(out, "/etc/llorch/credentials") {
		t.Errorf("the removal took credentials, or does not say that it leaves them:\n%s", out)
	}
}

// document returns the blocks of deploy/docs/install.md below Packages: the building, the
// installation, and a call.
func document(t *testing.T) []string {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := gatewaytest.ConsoleBlocks(string(text), "Packages")
	if len(blocks) != 3 || blocks[0] != "deploy/packages/build.sh 1.0.0 dist\n" { // as built calls it
		t.Fatalf("blocks %q, want three of which the first builds the packages", blocks)
	}
	return blocks
}

func containsAll(list, all []string) bool {
	return !slices.ContainsFunc(all, func(one string) bool { return !slices.Contains(list, one) })
}

// installed looks at users, secrets, and what helps at a shell.
func (s *system) installed() {
	s.t.Helper()
	for _, user := range users {
		if id := s.sh("id -u " + user); id == "0" || id == "" {
			s.t.Errorf("the user %s is %q", user, id)
		}
	}
	if got := s.sh("stat -c '%a %U' /etc/llorch/credentials"); got != "700 root" {
		s.t.Errorf("the directory of credentials is %s", got)
	}
	if got := s.sh("cd /etc/llorch/credentials && ls"); got != strings.Join(credentials, "\n") {
		s.t.Errorf("credentials %q", got)
	}
	if got := s.sh("cd /etc/llorch/credentials && stat -c '%a %U' * | sort -u"); got != "600 root" {
		s.t.Errorf("credentials are %q", got)
	}
	if got := s.sh("cd /etc/llorch/credentials && sha256sum * | cut -d' ' -f1 | sort -u | wc -l"); got != "4" {
		s.t.Errorf("%s different credentials, want 4", got)
	}
	s.run("bash", "-n", "/usr/share/bash-completion/completions/llorch")
	for _, program := range []string{"llorch", "orchestratord", "poolmanagerd"} {
		s.sh("gzip -dc /usr/share/man/man8/" + program + ".8.gz | grep -q '^.TH'")
	}
}

// kept is a digest of the credentials, which no change of a package may touch.
func (s *system) kept() string {
	s.t.Helper()
	return s.sh("sha256sum /etc/llorch/credentials/* | sha256sum")
}

// serve starts the three units, and waits until the gateway answers.
func (s *system) serve() (stop func()) {
	s.t.Helper()
	var stops []func()
	for _, unit := range units {
		stops = append(stops, s.start(unit))
	}
	s.succeeds("GET", "/v1/models", "")
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// call is curl with the token that the installation made; token false: without one. It
// returns the status.
func (s *system) call(token bool, method, path, body string) string {
	line := "curl -sS -o /tmp/body -w '%{http_code}' -X " + method
	if token {
		line += ` -H "Authorization: Bearer $(cat /etc/llorch/credentials/api_token)"`
	}
	if body != "" {
		line += " -H 'Content-Type: application/json' -d '" + body + "'"
	}
	out, _ := output(s.command("sh", "-c", line+" http://127.0.0.1:8080"+path), commandLimit)
	return strings.TrimSpace(out)
}

func (s *system) succeeds(method, path, body string) {
	s.t.Helper()
	testkit.Within(s.t, time.Minute, method+" "+path, func() error {
		if got := s.call(true, method, path, body); !strings.HasPrefix(got, "20") {
			return fmt.Errorf("status %s: %s", got, s.sh("cat /tmp/body 2>/dev/null || true"))
		}
		return nil
	})
}

// firstTask starts what was installed, as it was installed, and runs a task.
func (s *system) firstTask() (id string, stop func()) {
	s.t.Helper()
	stop = s.serve()
	if got := s.call(false, "GET", "/v1/models", ""); got != "401" {
		s.t.Errorf("without a token: %s", got)
	}
	id = uuid.NewString()
	s.succeeds("POST", "/v2/tasks", `{"task_id":"`+id+`","model_ref":"demo","prompt":"hello","max_tokens":4}`)
	s.succeeds("GET", "/v2/tasks/"+id+"/events", "")
	if events := s.sh("cat /tmp/body"); !strings.Contains(events, "event: end") {
		s.t.Errorf("the task did not end well:\n%s", events)
	}
	return id, stop
}
