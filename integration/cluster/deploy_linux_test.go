package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// TestTheShippedClusterAndItsMigration runs what deploy/cluster ships, with the
// hosts' names replaced by three addresses of this one: the script that makes
// certificates, the configuration that is the same everywhere, and the way of a
// single server's tasks into the cluster and back.
func TestTheShippedClusterAndItsMigration(t *testing.T) {
	t.Parallel()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := filepath.Abs("../../deploy/cluster")
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
	pki := filepath.Join(t.TempDir(), "pki")
	if out, err := exec.Command(filepath.Join(shipped, "certificates.sh"), append([]string{pki}, hosts...)...).CombinedOutput(); err != nil {
		t.Fatalf("certificates.sh: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(shipped, "orchestratord.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(testkit.FreeAddress(t), ":")
	for i, h := range hosts {
		text = bytes.ReplaceAll(text, fmt.Appendf(nil, "orch%d.internal:6222", i+1), []byte(h+":"+port))
	}
	file := filepath.Join(t.TempDir(), "orchestratord.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}

	c := &cluster{t: t, upstream: authmin.RandomSecret()}
	add := func(name string, args []string, env ...string) *replica {
		r := &replica{c: c, name: name, http: testkit.FreeAddress(t), dir: filepath.Join(t.TempDir(), "state"), args: args}
		r.env = append([]string{"PATH=" + os.Getenv("PATH"), "ORCHD_ADDR=" + r.http, "LLORCH_UPSTREAM_TOKEN=" + c.upstream.Reveal()}, env...)
		r.env = append(r.env, "ORCHD_STATE_DIR="+r.dir)
		t.Cleanup(r.kill)
		return r
	}
	single := add("single", nil)
	c.become(single)
	single.start()
	single.serves()
	n := newNode(t, c, 1, nil)
	done, err := c.admitted(single)
	if err != nil {
		t.Fatal(err)
	}
	before := c.finish(single, []string{done}, 10*time.Second)[done]
	single.stop()

	var replicas []*replica
	for i, h := range hosts {
		replicas = append(replicas, add(fmt.Sprint("orch", i+1), []string{"--config", file},
			"ORCHD_CLUSTER_REPLICA=orch"+fmt.Sprint(i+1), "ORCHD_CLUSTER_ADDR="+h+":"+port, "ORCHD_CLUSTER_CERT="+filepath.Join(pki, h+".pem"),
			"ORCHD_CLUSTER_KEY="+filepath.Join(pki, h+".key"), "ORCHD_CLUSTER_CA="+filepath.Join(pki, "ca.pem")))
	}
	run := func(r *replica, args ...string) (string, error) {
		cmd := exec.Command(path, args...)
		cmd.Env = r.env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(replicas[0], "--config", file, "--check"); err != nil {
		t.Fatalf("--check: %v\n%s", err, out)
	}
	wrong := &replica{env: append(slices.Clone(replicas[0].env), "ORCHD_STATE_DIR="+single.dir)}
	if out, err := run(wrong, "--config", file); err == nil || !strings.Contains(out, "orchestratord migrate") || strings.Count(out, "\n") != 1 {
		t.Errorf("a single server's directory in a cluster: got %v, %q, want one line that names migrate", err, out)
	}

	replicas[1].start()
	replicas[2].start()
	if out, err := run(replicas[0], "migrate", "--config", file, "--from-dir", single.dir); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	c.become(replicas...)
	replicas[0].start()
	for _, r := range replicas {
		r.serves()
		task, err := c.task(r, done)
		if err != nil || task["state"] != before["state"] || task["ended_at"] != before["ended_at"] {
			t.Errorf("%s: got %v, %v, want %v", r.name, task, err, before)
		}
		c.oneEnd(r, done)
	}
	later, err := c.admitted(replicas[1])
	if err != nil {
		t.Fatal(err)
	}
	c.judge(n, []string{later})
	replicas[0].stop()
	back := filepath.Join(t.TempDir(), "back")
	if out, err := run(replicas[0], "migrate", "--config", file, "--to-dir", back); err != nil {
		t.Fatalf("migrate back: %v\n%s", err, out)
	}
	for _, r := range replicas {
		r.kill()
	}
	again := add("again", nil)
	again.env = append(again.env, "ORCHD_STATE_DIR="+back)
	c.become(again)
	again.start()
	again.serves()
	for _, id := range []string{done, later} {
		if task, err := c.task(again, id); err != nil || task["state"] != "completed" {
			t.Errorf("back: got %v, %v", task, err)
		}
		c.oneEnd(again, id)
	}
}

// admitted submits until the node is registered.
func (c *cluster) admitted(r *replica) (id string, err error) {
	c.t.Helper()
	testkit.Within(c.t, 20*time.Second, "a task is admitted", func() (err error) { id, err = c.submit(r, ""); return err })
	return id, nil
}
