//go:build packages

package packages

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/llorch/gateway/integration/testkit"
)

// A unit is what systemd reads of a service, as far as it concerns the program's
// surroundings.
type unit map[string][]string

func (s *system) unit(name string) unit {
	s.t.Helper()
	u := unit{}
	for line := range strings.Lines(s.run("cat", "/usr/lib/systemd/system/"+name)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// start does for a unit what systemd does: its directories and credentials, and the
// program as its user without any capability. It ends with the test, or by stop.
func (s *system) start(name string) (stop func()) {
	s.t.Helper()
	u := s.unit(name)
	user := u["User"][0]
	credentials := "/run/credentials/" + name
	s.sh("install -d -m 0500 -o " + user + " " + credentials)
	for _, c := range u["LoadCredential"] {
		id, file, _ := strings.Cut(c, ":")
		s.sh("install -m 0400 -o " + user + " " + file + " " + credentials + "/" + id)
	}
	for key, base := range map[string]string{"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "LogsDirectory": "/var/log"} {
		for _, dir := range u[key] {
			s.sh("install -d -m " + u[key+"Mode"][0] + " -o " + user + " -g " + user + " " + path.Join(base, dir))
		}
	}
	expand := strings.NewReplacer("%d", credentials, "%S", "/var/lib")
	args := []string{"setpriv", "--reuid", user, "--regid", user, "--init-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
		"env", "-i", "PATH=/usr/bin:/bin", "CREDENTIALS_DIRECTORY=" + credentials}
	for _, variables := range u["Environment"] {
		args = append(args, strings.Fields(expand.Replace(variables))...)
	}
	for _, check := range u["ExecStartPre"] {
		s.run(slices.Concat(args, strings.Fields(check))...)
	}
	cmd := s.command(slices.Concat(args, strings.Fields(u["ExecStart"][0]))...)
	out := new(testkit.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	s.t.Cleanup(func() {
		stop()
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, out.String())
		}
	})
	return stop
}
