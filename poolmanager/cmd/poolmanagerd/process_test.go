//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// asDaemon makes the test binary be poolmanagerd; what it starts as the demo
// engine is the test binary again.
const asDaemon = "POOLMANAGERD_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" || len(os.Args) > 1 && os.Args[1] == "demo-engine" {
		main()
		return
	}
	os.Exit(m.Run())
}

type daemon struct {
	*exec.Cmd
	base   string
	client *nodeapi.Client
	ended  chan struct{}
}

func startDaemon(t *testing.T, dir string, token authmin.Secret) *daemon {
	t.Helper()
	return startDaemonWith(t, dir, token, "LLORCH_API_TOKEN="+token.Reveal())
}

// startDaemonWith starts the daemon with its token where env says.
func startDaemonWith(t *testing.T, dir string, token authmin.Secret, env string) *daemon {
	t.Helper()
	config := filepath.Join(dir, "config.yaml")
	text := "listen: 127.0.0.1:0\nruntime_dir: " + filepath.Join(dir, "run") + "\npreload: [{pool_id: p, template: demo}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0], "--config", config)
	command.Env = append(os.Environ(), asDaemon+"=1", env)
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	d := &daemon{Cmd: command, ended: make(chan struct{})}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "pool manager started" {
			d.base = "http://" + line.Address
			d.client = nodeapi.New(d.base, token.Reveal, nil)
			break
		}
	}
	go func() { io.Copy(io.Discard, log); command.Wait(); close(d.ended) }()
	t.Cleanup(func() { command.Process.Kill(); testkit.Receive(t, d.ended, "the end") })
	if d.client == nil {
		t.Fatal("the daemon did not start")
	}
	return d
}

func (d *daemon) awaitReady(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the pool to be ready", func() bool {
		s, err := d.client.Status(t.Context(), "p")
		return err == nil && s.Ready
	})
}

// engines gives the pids of the demo engines whose key lies in dir.
func engines(t *testing.T, dir string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, []byte("demo-engine")) && bytes.Contains(text, []byte(dir)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestTERMEndsEverythingWithinFourSecondsStreamsOrNot(t *testing.T) {
	dir, token := t.TempDir(), authmin.RandomSecret()
	d := startDaemon(t, dir, token)
	d.awaitReady(t)
	stream, err := d.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	if got := engines(t, dir); len(got) != 1 {
		t.Fatalf("engines running: got %v, want one", got)
	}
	begin := time.Now()
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	testkit.Receive(t, d.ended, "the end")
	took := time.Since(begin)
	if took > stopLimit || d.ProcessState.ExitCode() != 0 {
		t.Errorf("ended after %v with %v", took, d.ProcessState)
	}
	t.Logf("stopped in %v with an open stream", took)
	if got := engines(t, dir); len(got) != 0 {
		t.Errorf("engines left: %v", got)
	}
}

func TestKillingTheDaemonOrphansNothingAndItsSuccessorServes(t *testing.T) {
	dir, token := t.TempDir(), authmin.RandomSecret()
	first := startDaemon(t, dir, token)
	first.awaitReady(t)
	before := engines(t, dir)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	testkit.Receive(t, first.ended, "the end")
	testkit.Eventually(t, "the engine to be gone", func() bool { return len(engines(t, dir)) == 0 })
	second := startDaemon(t, dir, token)
	second.awaitReady(t)
	if after := engines(t, dir); len(after) != 1 || after[0] == before[0] {
		t.Errorf("engines before %v, after %v, want one new one", before, after)
	}
}

func TestASecondDaemonOnOneDirectoryIsRefused(t *testing.T) {
	dir, token := t.TempDir(), authmin.RandomSecret()
	startDaemon(t, dir, token).awaitReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "--config", filepath.Join(dir, "config.yaml"))
	command.Env = append(os.Environ(), asDaemon+"=1")
	command.WaitDelay = time.Second
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another pool manager uses") {
		t.Errorf("got %v: %s", err, out)
	}
	if got := engines(t, dir); len(got) != 1 {
		t.Errorf("engines running: got %v, want the first daemon's one", got)
	}
}

func TestNoTokenReachesAnEnginesEnvironmentOrArguments(t *testing.T) {
	dir, token := t.TempDir(), authmin.RandomSecret()
	d := startDaemon(t, dir, token)
	d.awaitReady(t)
	pids := engines(t, dir)
	for _, name := range []string{"environ", "cmdline"} {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pids[0]), name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), token.Reveal()) || strings.Contains(string(text), "LLORCH_API_TOKEN") {
			t.Errorf("the token is in the engine's %s", name)
		}
	}
	keys, err := os.ReadDir(filepath.Join(dir, "run", "keys"))
	if err != nil || len(keys) != 0 {
		t.Errorf("key files left after the engine read its key: %v, %v", keys, err)
	}
}
