//go:build packages

package packages

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	commandLimit = 2 * time.Minute
	buildLimit   = 20 * time.Minute // a compiler that has everything to do
)

// built has the packages of two versions, made once: 0.0.1 and 0.0.2.
var built = sync.OnceValues(func() (dir string, err error) {
	root, err := gatewaytest.Root()
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "packages"); err != nil {
		return "", err
	}
	programs := os.Getenv("PROGRAMS") // as build.sh reads it
	if programs == "" {
		programs = filepath.Join(dir, "programs") + "/"
		if err := buildPrograms(root, programs); err != nil {
			return dir, err
		}
	}
	for _, version := range []string{"0.0.1", "0.0.2"} {
		cmd := exec.Command(filepath.Join(root, "deploy/packages/build.sh"), version, dir)
		cmd.Env = append(os.Environ(), "PROGRAMS="+programs)
		if out, err := output(cmd, buildLimit); err != nil {
			return dir, fmt.Errorf("%w\n%s", err, out)
		}
	}
	return dir, nil
})

// buildPrograms is what build.sh does, once for all of its calls.
func buildPrograms(root, dir string) error {
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir, "./caddymodule/cmd/llorch", "./orchestrator/cmd/orchestratord", "./poolmanager/cmd/poolmanagerd")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := output(build, buildLimit); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := built(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// output runs a command with a limit, so that a test fails instead of hanging.
func output(cmd *exec.Cmd, limit time.Duration) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		return "", err
	}
	end := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	defer end.Stop()
	err := cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return out.String(), err
}

// packageFile is the file of one version and kind.
func packageFile(t *testing.T, version, kind string) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "llorch*"+version+"*."+kind))
	if err != nil || len(files) != 1 {
		t.Fatalf("packages %q, %v, want one", files, err)
	}
	return files[0]
}

// A system is this machine's tree with a layer above it, which is thrown away, and a
// network of its own, which has only loopback.
type system struct {
	t      *testing.T
	root   string
	holder int // a process in its namespaces
}

// setup makes the namespaces' mounts; systemctl notes its calls, and says that it is there
// by the directory that systemd makes.
const setup = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/tmp"
mkdir -p "$1/root/run/systemd/system" "$1/root/packages"
mount --bind "$2" "$1/root/packages"
printf '#!/bin/sh\necho "$*" >>/systemctl.log\n' >"$1/root/usr/bin/systemctl" # where the scripts of rpm find it
chmod 0755 "$1/root/usr/bin/systemctl"
: >"$1/root/systemctl.log"
rm -f "$1/root/var/lib/man-db/auto-update" # no index of manual pages at each change
ip link set lo up
echo ready
exec cat`

func newSystem(t *testing.T) *system {
	t.Helper()
	packages, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--net", "sh", "-c", setup, "sh", dir, packages)
	in, err := cmd.StdinPipe() // its end is the end of the namespaces
	if err != nil {
		t.Fatal(err)
	}
	out := new(testkit.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		cancel()
		_ = cmd.Wait()
	})
	testkit.Eventually(t, "the system tree is mounted", func() bool { return strings.Contains(out.String(), "ready") })
	return &system{t: t, root: filepath.Join(dir, "root"), holder: cmd.Process.Pid}
}

// command is one that runs in the system, as root.
func (s *system) command(args ...string) *exec.Cmd {
	all := append([]string{"--target", fmt.Sprint(s.holder), "--mount", "--net", "chroot", s.root}, args...)
	cmd := exec.Command("nsenter", all...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "HOME=/root"}
	return cmd
}

// run returns what a command writes, and fails the test with it.
func (s *system) run(args ...string) string {
	s.t.Helper()
	out, err := output(s.command(args...), commandLimit)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// sh runs a line of shell.
func (s *system) sh(line string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run("sh", "-c", line))
}

// called returns what systemctl was called with since the last time.
func (s *system) called() string {
	s.t.Helper()
	return s.sh("cat /systemctl.log; : >/systemctl.log")
}
