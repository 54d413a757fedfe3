package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// mayMount reports whether this user may mount in a name space of its own.
func mayMount(t *testing.T) bool {
	dir := t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", `mount --bind "$1" "$1"`, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		t.Logf("this user may not mount (%v): the unit tests of authmin stand for it", err)
		return false
	}
	return true
}

// A single file mounted into a container stays the file that it was: the gateway
// inside says so, and a revocation outside does not claim to have worked.
func TestASingleMountedKeyringIsNoticed(t *testing.T) {
	if !mayMount(t) {
		return
	}
	dir := t.TempDir()
	outside, inside, socket := filepath.Join(dir, "tokens"), filepath.Join(dir, "mounted"), filepath.Join(dir, "admin.sock")
	llorch := func(args ...string) (string, error) {
		cmd := gatewaytest.Command(t, nil, args...)
		var out bytes.Buffer
		cmd.Stderr = &out
		err := cmd.Run()
		return out.String(), err
	}
	if out, err := llorch("authmin", "token", "new", "ci", "infer", "--file", outside); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(inside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin unix/%s|0600\n\tpersist_config off\n\tlog {\n\t\tformat authmin\n\t}\n\tauthmin {\n\t\ttoken_file %s\n\t}\n}\nhttp://%s {\n\tbind 127.0.0.1\n\tauthmin {\n\t\trequire infer /*\n\t}\n\trespond ok\n}\n",
		socket, inside, testkit.FreeAddress(t))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := gatewaytest.Command(t, nil, "run", "--config", config)
	cmd.Args = append([]string{"sh", "-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", outside, inside, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	p := gatewaytest.StartCommand(t, cmd)
	said := func(what string) {
		testkit.Within(t, 20*time.Second, what, func() error {
			select {
			case <-p.Exited():
				t.Fatalf("the gateway has ended:\n%s", p.Output())
			default:
			}
			if !strings.Contains(p.Output(), what) {
				return errors.New(p.Output())
			}
			return nil
		})
	}
	said("is a single file mounted by itself")
	out, err := llorch("authmin", "token", "revoke", "ci", "--file", outside, "--admin", "unix/"+socket)
	if err == nil || !strings.Contains(out, "replaced or removed outside") || !strings.Contains(out, "restart them") {
		t.Errorf("a revocation that the gateway does not see: got %v\n%s", err, out)
	}
	said("replaced or removed outside")
	// Without a socket to ask, the mount still tells.
	out, err = llorch("authmin", "token", "new", "other", "infer", "--file", outside, "--admin", "unix/"+socket+".absent")
	if err == nil || !strings.Contains(out, "mounted by itself") || strings.Contains(out, "has read the change by now") {
		t.Errorf("a change that no gateway confirms: got %v\n%s", err, out)
	}
}

// From inside, a file that is mounted by itself cannot be replaced.
func TestAMountedKeyringCannotBeEditedFromInside(t *testing.T) {
	if !mayMount(t) {
		return
	}
	dir := t.TempDir()
	outside, inside := filepath.Join(dir, "tokens"), filepath.Join(dir, "mounted")
	for _, path := range []string{outside, inside} {
		if err := os.WriteFile(path, []byte("# end 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := gatewaytest.Command(t, nil, "authmin", "token", "new", "ci", "infer", "--file", inside)
	cmd.Args = append([]string{"sh", "-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", outside, inside, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.SysProcAttr = "/bin/sh", &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "and cannot be replaced inside the container") {
		t.Errorf("got %v\n%s", err, out)
	}
}
