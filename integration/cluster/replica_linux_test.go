package cluster_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// cluster is three orchestratord and what they have in common.
type cluster struct {
	t        *testing.T
	upstream authmin.Secret
	mu       sync.Mutex
	replicas []*replica
	wires    []*wire // the way to each replica's routes
}

// replica is one of them, running or not.
type replica struct {
	c      *cluster
	name   string
	http   string
	routes string // where it really listens; the others come through its wire
	dir    string
	env    []string
	args   []string
	path   string  // of another program than the one that is shipped
	flags  uintptr // of the process's name spaces

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	out    testkit.Buffer // since its first start
}

// newCluster prepares n replicas; env is added to what each one gets.
func newCluster(t *testing.T, n int, env ...string) *cluster {
	t.Helper()
	if _, err := build(); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, upstream: authmin.RandomSecret()}
	a := testkit.NewAuthority(t)
	var peers []string
	for i := range n {
		r := &replica{c: c, name: fmt.Sprint("replica", i+1), http: testkit.FreeAddress(t), routes: testkit.FreeAddress(t), dir: filepath.Join(t.TempDir(), "state")}
		w := newWire(t, c, r)
		c.replicas, c.wires, peers = append(c.replicas, r), append(c.wires, w), append(peers, w.address)
	}
	for i, r := range c.replicas {
		cert, key := a.Issue(r.name, []string{"127.0.0.1"})
		r.env = append([]string{
			"PATH=" + os.Getenv("PATH"), "ORCHD_ADDR=" + r.http, "ORCHD_STATE_DIR=" + r.dir, "LLORCH_UPSTREAM_TOKEN=" + c.upstream.Reveal(),
			"ORCHD_CLUSTER_NAME=test", "ORCHD_CLUSTER_REPLICA=" + r.name, "ORCHD_CLUSTER_ADDR=" + r.routes,
			"ORCHD_CLUSTER_PEERS=" + strings.Join(peers, ","), "ORCHD_CLUSTER_ADVERTISE=" + peers[i],
			"ORCHD_CLUSTER_CERT=" + cert, "ORCHD_CLUSTER_KEY=" + key, "ORCHD_CLUSTER_CA=" + a.File,
		}, env...)
	}
	c.cleanUp()
	return c
}

// cleanUp ends all replicas, and then these processes, when the test ends. If it
// failed, it logs the end of their output.
func (c *cluster) cleanUp(others ...*replica) {
	c.t.Cleanup(func() {
		for _, r := range slices.Concat(c.replicas, others) {
			r.kill()
			if c.t.Failed() {
				c.t.Logf("%s:\n%s", r.name, r.tail())
			}
		}
	})
}

// members are the replicas that there are now, and become changes them.
func (c *cluster) members() []*replica {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replicas
}

func (c *cluster) become(replicas ...*replica) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replicas = replicas
}

// start starts all replicas and waits until each of them serves.
func (c *cluster) start() {
	c.t.Helper()
	for _, r := range c.replicas {
		r.start()
	}
	for _, r := range c.replicas {
		r.serves()
	}
}

func (r *replica) start() {
	r.c.t.Helper()
	path, err := build()
	if err != nil {
		r.c.t.Fatal(err)
	}
	path = cmp.Or(r.path, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	cmd := exec.Command(path, r.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = r.env, &r.out, &r.out
	// A test that is killed must not leave replicas behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Unshareflags: r.flags}
	if err := cmd.Start(); err != nil {
		r.c.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	r.cmd, r.exited = cmd, exited
}

// tail is the end of its output.
func (r *replica) tail() string {
	text := r.out.String()
	return text[max(0, len(text)-3000):]
}

func (r *replica) pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return 0
	}
	return r.cmd.Process.Pid
}

// signal ends the replica and gives its exit code; -1 when it was not its own.
func (r *replica) signal(sig syscall.Signal) int {
	r.mu.Lock()
	cmd, exited := r.cmd, r.exited
	r.cmd = nil
	r.mu.Unlock()
	if cmd == nil {
		return -1
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-exited:
	case <-time.After(15 * time.Second):
		r.c.t.Errorf("%s does not end", r.name)
		_ = cmd.Process.Kill()
		<-exited
	}
	return cmd.ProcessState.ExitCode()
}

func (r *replica) kill() { r.signal(syscall.SIGKILL) }
func (r *replica) stop() { r.signal(syscall.SIGTERM) }

// serves waits until the replica takes requests.
func (r *replica) serves() {
	r.c.t.Helper()
	testkit.Within(r.c.t, 40*time.Second, r.name+" serves", func() error {
		status, _, err := r.c.try(r, "ci", "infer", "GET", "/v2/tasks?limit=1", "")
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}
