//go:build rolling

package rolling_test

import (
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	// startLimit bounds the wait for a program to serve, on a busy machine.
	startLimit = 60 * time.Second
	// drainMS is how long a replica that stops, or a pool that drains, lets its tasks go
	// on; stopLimit is when it has to be gone.
	drainMS   = 20_000
	stopLimit = 40 * time.Second
)

// fleet is three replicas and two nodes, and the gateway before them.
type fleet struct {
	t        *testing.T
	upstream string // the credential of the gateway at the replicas
	replicas []*replica
	nodes    []*node
	clients  *httptest.Server // what clients talk to
}

// replica is an orchestrator; its address and state stay when its program changes.
type replica struct {
	name, address string
	env           []string
	daemon
}

// daemon is what runs of a replica or a node.
type daemon struct {
	release atomic.Pointer[release]
	process *gatewaytest.Process
}

// newFleet starts everything as this release.
func newFleet(t *testing.T, r *release) *fleet {
	t.Helper()
	f := &fleet{t: t, upstream: rand.Text() + rand.Text()}
	authority := testkit.NewAuthority(t)
	var routes []string
	for range 3 {
		routes = append(routes, testkit.FreeAddress(t))
	}
	for i, own := range routes {
		name := fmt.Sprint("replica", i+1)
		cert, key := authority.Issue(name, []string{"127.0.0.1"})
		address := testkit.FreeAddress(t)
		f.replicas = append(f.replicas, &replica{name: name, address: address, env: []string{
			"ORCHD_ADDR=" + address, "ORCHD_STATE_DIR=" + filepath.Join(t.TempDir(), "state"), "LLORCH_UPSTREAM_TOKEN=" + f.upstream,
			"ORCHD_CLUSTER_NAME=rolling", "ORCHD_CLUSTER_REPLICA=" + name, "ORCHD_CLUSTER_ADDR=" + own,
			"ORCHD_CLUSTER_PEERS=" + strings.Join(routes, ","), "ORCHD_CLUSTER_ADVERTISE=" + own,
			"ORCHD_CLUSTER_CERT=" + cert, "ORCHD_CLUSTER_KEY=" + key, "ORCHD_CLUSTER_CA=" + authority.File,
			fmt.Sprint("ORCHD_DRAIN_MS=", drainMS), "ORCHESTRATORD_PLACEMENT_STRATEGY=round-robin",
		}})
	}
	for _, x := range f.replicas {
		f.startReplica(x, r)
	}
	for _, x := range f.replicas {
		f.serves(x)
	}
	f.clients = f.edge("ci", "infer")
	for i := range 2 {
		f.nodes = append(f.nodes, f.newNode(fmt.Sprint("node", i+1), r))
	}
	for _, n := range f.nodes {
		f.offers(n)
	}
	return f
}

func (f *fleet) startReplica(x *replica, r *release) {
	x.run(f.t, r, r.orchestratord, x.env)
}

// run starts the program; it is killed when the test ends.
func (d *daemon) run(t *testing.T, r *release, path string, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}, env...)
	// A test that is killed must not leave processes behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := gatewaytest.StartCommand(t, cmd)
	t.Cleanup(func() { _ = p.Signal(syscall.SIGKILL) })
	d.release.Store(r)
	d.process = p
}

// end stops it as systemd does.
func (d *daemon) end(t *testing.T, name string) {
	t.Helper()
	if err := d.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping %s: %v", name, err)
	}
	select {
	case <-d.process.Exited():
	case <-time.After(stopLimit):
		t.Fatalf("%s has not stopped", name)
	}
	if code := d.process.ExitCode(); code != 0 {
		t.Errorf("%s ended with code %d", name, code)
	}
}

// serves waits until the replica takes requests.
func (f *fleet) serves(x *replica) {
	f.t.Helper()
	testkit.Within(f.t, startLimit, x.name+" serves", func() error {
		var list any
		return f.at(x).get("/v2/tasks?limit=1", &list)
	})
}

// change replaces the program of a replica or a node by that of another release, as
// operators do: what runs may end before, and the next one is not touched until this one
// serves.
func (f *fleet) change(what any, to *release) {
	f.t.Helper()
	begin := time.Now()
	switch d := what.(type) {
	case *replica:
		d.end(f.t, d.name)
		f.startReplica(d, to)
		f.serves(d)
		f.t.Logf("%s is %s after %v", d.name, to.name, time.Since(begin).Round(time.Millisecond))
	case *node:
		f.drain(d)
		d.end(f.t, d.name)
		f.startNode(d, to)
		f.offers(d)
		f.t.Logf("%s is %s after %v", d.name, to.name, time.Since(begin).Round(time.Millisecond))
	}
}
