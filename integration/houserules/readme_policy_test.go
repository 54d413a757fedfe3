package houserules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// installed runs the command with a folder of this test in place of GOPATH/bin. The
// programs are then there under the names that the README uses.
func installed(_ *readme, t *testing.T, b block) {
	dir := t.TempDir()
	cmd := exec.Command("go", strings.Fields(b.text)[1:]...)
	cmd.Dir, cmd.Env = root(t), append(os.Environ(), "GOBIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"llorch", "orchestratord", "poolmanagerd"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// inDir runs a command where the ones before it left their files.
func (r *readme) inDir(t *testing.T, b block) {
	cmd := gatewaytest.Command(t, nil, strings.Fields(b.text)[1:]...)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// asShown writes the policy shown last, with its folders in a folder of this test
// and a keyring and a chain key there.
func (r *readme) asShown(t *testing.T, pairs ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	policy := strings.NewReplacer(append(pairs, "/etc/llorch", dir, "/var/log/llorch", dir)...).Replace(r.caddyfile)
	for name, text := range map[string]string{"Caddyfile": policy, "audit.key": readmeToken + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := gatewaytest.Command(t, nil, "authmin", "token", "new", "ci", "infer", "--file", filepath.Join(dir, "tokens"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// onPolicy runs a command that looks at the policy shown. doctor finds what is
// wrong with the machine too, and then says so with exit code 1.
func (r *readme) onPolicy(t *testing.T, b block) {
	args := strings.Fields(b.text)[1:]
	cmd := gatewaytest.Command(t, nil, args...)
	cmd.Dir = r.asShown(t)
	out, err := cmd.CombinedOutput()
	if err != nil && args[1] != "doctor" && args[1] != "check" { // these look at the machine, too
		t.Errorf("%v\n%s", err, out)
	}
	want := map[string]string{"check": "errors: ", "lint": "no errors", "explain": "require infer /v1/*", "doctor": "has a guard"}[args[1]]
	if !strings.Contains(string(out), want) {
		t.Errorf("%s does not say %q:\n%s", args[1], want, out)
	}
}

// auditVerify runs the policy shown, lets it refuse a request, and checks what it
// wrote.
func (r *readme) auditVerify(t *testing.T, b block) {
	address := testkit.FreeAddress(t)
	dir := r.asShown(t, "gateway.example.com {", "http://"+address+" {\n\tbind 127.0.0.1")
	cmd := gatewaytest.Command(t, nil, "run", "--config", "Caddyfile")
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "CADDY_ADMIN="+testkit.FreeAddress(t))
	p := gatewaytest.StartCommand(t, cmd)
	p.Listening(t, address)
	client := gatewaytest.Client{Base: "http://" + address}
	testkit.Within(t, 10*time.Second, "a refusal", func() error {
		_, err := client.As("").Do("GET", "/v1/models", "")
		return err
	})
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	line := strings.NewReplacer("/etc/llorch", dir, "/var/log/llorch", dir).Replace(b.text)
	out, err := gatewaytest.Command(t, nil, strings.Fields(line)[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
