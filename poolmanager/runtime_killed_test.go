//go:build linux

package poolmanager

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/proc"
)

// daemonDir makes the test binary a pool manager that is killed: its runtime
// directory. It prints its address.
const daemonDir = "POOLMANAGER_TEST_DAEMON_DIR"

var daemonToken = authmin.NewSecret(strings.Repeat("daemon-token", 4))

func init() {
	runAsChild = func() bool {
		dir := os.Getenv(daemonDir)
		if dir != "" {
			beDaemon(dir)
		}
		return dir != ""
	}
}

// beDaemon runs the pools of its kind until TERM.
func beDaemon(dir string) {
	demo, err := DemoTemplate([]string{os.Args[0], "demo-engine"})
	if err != nil {
		panic(err)
	}
	o := Options{
		Listen: "127.0.0.1:0", RuntimeDir: dir, NodeID: "test", Token: daemonToken,
		Templates: []Template{demo}, Log: slog.New(slog.DiscardHandler),
	}
	kinds[os.Getenv(daemonKind)](&o)
	s, err := Start(context.Background(), o)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Addr())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	if err := s.Stop(context.Background()); err != nil {
		panic(err)
	}
}

// daemonKind says which pools it has.
const daemonKind = "POOLMANAGER_TEST_DAEMON_KIND"

var kinds = map[string]func(*Options){
	// A demo engine, one that leaves children behind in sessions of their own, and
	// one that never becomes ready.
	"": func(o *Options) {
		forking := o.Templates[0]
		forking.Name = "forking"
		forking.Command = append([]string{"/bin/sh", "-c", `setsid sleep 300 & setsid sh -c 'sleep 300 & sleep 300' & shift 0; exec "$0" "$@"`}, forking.Command...)
		stuck := scripted(`trap "" TERM; while :; do sleep 60; done`)
		o.times, o.Templates = quick, append(o.Templates, forking, stuck)
		o.Preload = []Preload{{PoolID: "a", Template: "demo"}, {PoolID: "b", Template: "forking"}, {PoolID: "c", Template: "script"}}
	},
	"wide": func(o *Options) {
		o.Templates[0].Slots = 200
		o.Preload = []Preload{{PoolID: "a", Template: "demo"}}
	},
	"hundred": func(o *Options) {
		o.Templates[0].ReadyLimit = 2 * time.Minute
		for i := range 100 {
			o.Preload = append(o.Preload, Preload{PoolID: fmt.Sprintf("p%d", i), Template: "demo"})
		}
	},
}

// killable is a pool manager of its own process.
type killable struct {
	*exec.Cmd
	out     *bufio.Reader
	address string
}

func startKillable(t testing.TB, dir, kind string, env ...string) *killable {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = slices.Concat(os.Environ(), env, []string{daemonDir + "=" + dir, daemonKind + "=" + kind})
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	return &killable{Cmd: command, out: bufio.NewReader(out)}
}

// client waits for the address.
func (k *killable) client(t testing.TB) *nodeapi.Client {
	t.Helper()
	address, err := k.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	k.address = strings.TrimSpace(address)
	return nodeapi.New("http://"+k.address, daemonToken.Reveal, nil)
}

func (k *killable) kill() {
	k.Process.Kill()
	k.Wait()
}

// running lists the living processes of the runtime directory by pool.
func running(t *testing.T, dir string) map[string]int {
	t.Helper()
	id, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		return nil
	}
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for variable := range bytes.SplitSeq(text, []byte{0}) {
			if rest, ok := bytes.CutPrefix(variable, []byte(proc.MarkerName+"="+string(id)+"/")); ok {
				pool, _, _ := strings.Cut(string(rest), "/")
				found[pool]++
			}
		}
	}
	return found
}

// tidy reports what is left in the directory although nothing runs.
func tidy(t *testing.T, dir string) {
	t.Helper()
	if left := running(t, dir); len(left) != 0 {
		t.Errorf("processes left: %v", left)
	}
	for _, name := range []string{"keys", "processes"} {
		if left, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", name, left, err)
		}
	}
}

func TestKillingThePoolManagerAtAnyMomentLeavesNoEngineOrFile(t *testing.T) {
	rounds := 12
	if os.Getenv("LLORCH_LONG_TESTS") != "" {
		rounds = 150
	}
	dir := t.TempDir()
	var killedBy []time.Duration
	for range rounds {
		k := startKillable(t, dir, "")
		// From before its first spawn until it serves.
		after := time.Duration(rand.Int64N(int64(120 * time.Millisecond)))
		<-time.After(after)
		k.kill()
		killedBy = append(killedBy, after)
	}
	last := startKillable(t, dir, "")
	c := last.client(t)
	for _, id := range []string{"a", "b"} {
		testkit.Eventually(t, "pool "+id, func() bool { s, err := c.Status(t.Context(), id); return err == nil && s.Ready })
	}
	// a is one process; b the demo engine and its four children; c a shell and a sleep.
	testkit.Eventually(t, "each engine to run once", func() bool {
		got := running(t, dir)
		return got["a"] == 1 && got["b"] == 5 && got["c"] == 2
	})
	stream, err := c.Dispatch(t.Context(), "a", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	last.kill() // while serving
	stream.Close()
	final := startKillable(t, dir, "")
	c = final.client(t)
	testkit.Eventually(t, "the successor to serve", func() bool { s, err := c.Status(t.Context(), "b"); return err == nil && s.Ready })
	if got := running(t, dir); got["a"] > 1 || got["b"] > 5 || got["c"] > 2 {
		t.Errorf("something runs twice: %v", got)
	}
	final.Process.Signal(syscall.SIGTERM)
	if err := final.Wait(); err != nil {
		t.Errorf("after TERM: %v", err)
	}
	tidy(t, dir)
	if connection, err := net.DialTimeout("tcp", final.address, time.Second); err == nil {
		connection.Close()
		t.Error("its port is still open")
	}
	if t.Failed() {
		t.Logf("killed after %v", killedBy)
	}
}

func TestFilesOfAKilledRunAreRemovedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	runtime, err := openRuntimeDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"processes/p.json.new", "processes/q.json", "keys/XYZ"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half a rec"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runtime.close()
	startRig(t, func(o *Options) { o.RuntimeDir = dir })
	tidy(t, dir)
}
