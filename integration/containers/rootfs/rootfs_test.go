//go:build containers

package rootfs

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// user is the image's.
const user = "10001:10001"

// startLimit is how long the gateway may take on a busy machine.
const startLimit = 60 * time.Second

// written are the directories that are volumes in the compose file.
var written = []string{"/run/llorch", "/var/lib/llorch-gateway"}

// TestTheRootFileSystemGuards runs the gateway of deploy/containers/home from the archive
// that the image is made of.
func TestTheRootFileSystemGuards(t *testing.T) {
	root := extracted(t)
	policy := filepath.Join(repository(t), "deploy", "containers", "home", "gateway", "Caddyfile")
	command(t, "cp", policy, filepath.Join(made(t, root, "etc/llorch/gateway"), "Caddyfile"))
	inside := func(args ...string) []string {
		return append([]string{"chroot", "--userspec=" + user, "--groups=", root}, args...)
	}
	token := strings.TrimSpace(command(t, inside("/usr/local/bin/llorch", "authmin", "token", "new", "me", "infer", "--file", "/etc/llorch/keyring/tokens")...))

	pid := start(t, root, inside("/usr/local/bin/llorch", "run", "--config", "/etc/llorch/gateway/Caddyfile"))
	enter := []string{"nsenter", "--target", strconv.Itoa(pid), "--mount", "--net"}
	testkit.Within(t, startLimit, "the health check", func() error {
		_, err := run(append(enter, inside("/usr/local/bin/llorch", "health", "--admin", "unix//run/llorch/admin.sock")...)...)
		return err
	})
	for name, c := range map[string]struct {
		header string
		want   int
	}{
		"without a token": {"X-None: 1", http.StatusUnauthorized},
		"with one":        {"Authorization: Bearer " + token, http.StatusBadGateway}, // there is no Ollama behind it
	} {
		got := command(t, append(enter, "curl", "--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", c.header, "https://localhost:8443/api/tags")...)
		if got != strconv.Itoa(c.want) {
			t.Errorf("%s: %s, want %d", name, got, c.want)
		}
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil || !bytes.Contains(status, []byte("\nUid:\t10001\t10001")) || !bytes.Contains(status, []byte("\nCapPrm:\t0000000000000000\n")) {
		t.Errorf("the gateway has more rights than a user: %v\n%s", err, status)
	}
}

// start runs a command in namespaces of its own, with a root that cannot be written but for
// the volumes, and gives its pid.
func start(t *testing.T, root string, args []string) int {
	t.Helper()
	script := `set -eu; mount --make-rprivate /; mount --bind "$R" "$R"; mount -o remount,bind,ro "$R"; ip link set lo up; `
	for _, dir := range written {
		script += `mount -t tmpfs -o uid=10001,gid=10001,mode=0700 tmpfs "$R` + dir + `"; `
	}
	cmd := exec.Command("unshare", append([]string{"--mount", "--net", "sh", "-c", script + `exec "$@"`, "sh"}, args...)...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environment("R="+root), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the gateway wrote:\n%s", out.String())
		}
	})
	return cmd.Process.Pid
}

// environment is what the image sets.
func environment(more ...string) []string {
	return append(more, "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "XDG_DATA_HOME=/var/lib/llorch-gateway", "XDG_CONFIG_HOME=/var/lib/llorch-gateway")
}

// extracted is a directory with the files of the image.
func extracted(t *testing.T) string {
	t.Helper()
	archive, root := filepath.Join(t.TempDir(), "rootfs.tar"), t.TempDir()
	build := exec.Command(filepath.Join(repository(t), "deploy", "containers", "build.sh"))
	build.Env = append(os.Environ(), "ROOTFS="+archive)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the archive: %v\n%s", err, out)
	}
	command(t, "tar", "--extract", "--numeric-owner", "--preserve-permissions", "--file", archive, "--directory", root)
	for dir := root; dir != "/"; dir = filepath.Dir(dir) { // its user has to come in
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 {
			command(t, "chmod", "a+x", dir)
		}
	}
	return root
}

func made(t *testing.T, root, dir string) string {
	t.Helper()
	path := filepath.Join(root, dir)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// command gives the output of a command that has to succeed.
func command(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func run(args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var out, messages bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(), &out, &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%q: %w: %s", args, err, messages.String())
	}
	return out.String(), nil
}
