package integration_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// TestUpTwice: the first start makes a token, prints it once and keeps its
// hash; the second knows it by the hash and prints none.
func TestUpTwice(t *testing.T) {
	dir := t.TempDir()
	first := gatewaytest.StartUpIn(t, dir, nil)
	token := first.Token
	if n := strings.Count(first.Output(), token); token == "" || n != 1 {
		t.Fatalf("the token is printed %d times, want once:\n%s", n, first.Output())
	}
	aTaskStreams(t, first.Client)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	filesHoldNot(t, dir, token)
	second := gatewaytest.StartUpIn(t, dir, nil)
	if again := gatewaytest.PrintedToken(second.Output()); again != "" {
		t.Errorf("the second start prints a token")
	}
	aTaskStreams(t, second.As(token))
	filesHoldNot(t, dir, token)
}

// TestUpStops: an interrupt ends it within 5 s although a stream is open, and
// no process stays behind.
func TestUpStops(t *testing.T) {
	u := gatewaytest.StartUp(t, ownerEnv)
	id, err := submit(u.Client, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := u.Stream("/v2/tasks/" + id + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for { // until it is running
		e, err := stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "token" {
			break
		}
	}
	family := append(descendants(t, u.PID()), u.PID())
	if len(family) < 2 {
		t.Fatal("no engine process")
	}
	begun := time.Now()
	if err := u.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("stopped in %v", time.Since(begun))
	for _, pid := range family {
		if alive(pid) {
			t.Errorf("process %d has been left behind: %q", pid, words(t, pid, "cmdline"))
		}
	}
	if conn, err := net.Dial("tcp", u.Address); err == nil {
		conn.Close()
		t.Errorf("%s still accepts connections", u.Address)
	}
}

// TestUpKilled: not even a kill leaves the engine behind for long.
func TestUpKilled(t *testing.T) {
	u := gatewaytest.StartUp(t, ownerEnv)
	engines := descendants(t, u.PID())
	if len(engines) == 0 {
		t.Fatal("no engine process")
	}
	if err := u.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, 5*time.Second, "the engine's end", func() error {
		for _, pid := range engines {
			if alive(pid) {
				return os.ErrExist
			}
		}
		return nil
	})
}

// TestUpRefuses: what cannot work is said in one clear line, at once.
func TestUpRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const weak = "hunter2hunter2"
	for name, c := range map[string]struct {
		listen, dir string
		env         []string
		says        string
	}{
		"a taken port":        {listen: taken.Addr().String(), says: taken.Addr().String()},
		"an exposed address":  {listen: "0.0.0.0:0", says: "0.0.0.0"},
		"no place for data":   {dir: filepath.Join(file, "data"), says: file},
		"a short token":       {env: []string{"LLORCH_API_TOKEN=" + weak}, says: "LLORCH_API_TOKEN"},
		"an empty token":      {env: []string{"LLORCH_API_TOKEN="}, says: "LLORCH_API_TOKEN"},
		"two sources":         {env: append(ownerEnv, "LLORCH_API_TOKEN_FILE="+file), says: "LLORCH_API_TOKEN_FILE"},
		"an unknown bypass":   {env: append(ownerEnv, "AUTH_OPTIONAL=yes"), says: "AUTH_OPTIONAL"},
		"a token file's hole": {env: []string{"LLORCH_API_TOKEN_FILE=" + file}, says: file},
	} {
		t.Run(name, func(t *testing.T) {
			if c.listen == "" {
				c.listen = testkit.FreeAddress(t)
			}
			if c.dir == "" {
				c.dir = t.TempDir()
			}
			p := gatewaytest.Start(t, c.env, "up", "--listen", c.listen, "--data-dir", c.dir)
			select {
			case <-p.Exited():
			case <-time.After(20 * time.Second):
				t.Fatalf("still running:\n%s", p.Output())
			}
			out := strings.TrimSpace(p.Output())
			if p.ExitCode() == 0 {
				t.Errorf("exit code 0:\n%s", out)
			}
			if strings.Count(out, "\n") > 0 || !strings.Contains(out, c.says) {
				t.Errorf("want one line that names %s, got:\n%s", c.says, out)
			}
			if strings.Contains(out, weak) || strings.Contains(out, ownerToken) {
				t.Errorf("a token is shown:\n%s", out)
			}
		})
	}
}
