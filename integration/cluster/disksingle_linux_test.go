package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// onSmallDisk starts a single orchestrator whose state is on a file system of its own:
// 176 MiB in memory, in a mount name space of the process, where 128 have to be free. It
// returns the file system as this process sees it; "" where this user may not mount.
func onSmallDisk(t *testing.T) (r *replica, disk string) {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &cluster{t: t, upstream: authmin.RandomSecret()}
	r = &replica{c: c, name: "single", http: testkit.FreeAddress(t), dir: filepath.Join(dir, "state"), path: "/bin/sh"}
	r.args = []string{"-c", `mount -t tmpfs -o size=176m tmpfs "$1" && exec "$2"`, "sh", dir, path}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "ORCHD_ADDR=" + r.http, "ORCHD_STATE_DIR=" + r.dir, "LLORCH_UPSTREAM_TOKEN=" + c.upstream.Reveal()}
	r.flags = syscall.CLONE_NEWNS
	c.become(r)
	c.cleanUp()
	if os.Getuid() != 0 {
		t.Log("this user may not mount: the unit tests with a simulated disk stand for it")
		return r, ""
	}
	r.start()
	r.serves()
	return r, fmt.Sprintf("/proc/%d/root%s", r.pid(), dir)
}

// TestAFullDiskOfASingleServer fills the disk while tasks run and wait: first so far that
// new work is refused, then to the last byte, so that writes fail. With space again the
// server takes work without a restart, and what it had acknowledged ends.
func TestAFullDiskOfASingleServer(t *testing.T) {
	t.Parallel()
	r, disk := onSmallDisk(t)
	if disk == "" {
		return
	}
	c, hold := r.c, make(chan struct{})
	n := newNode(t, c, 2, hold)
	var ids []string
	for range 6 {
		id, err := c.admitted(r)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	n.runs(ids[0], 1, testkit.Limit)
	pid := r.pid()

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast, 60<<20)
	r.answers("/ready", `503 {"status":"not_ready","reason":"disk_full"}`)
	r.answers("/health", `200 {"status":"ok"}`)
	refused := func() {
		t.Helper()
		if id, err := c.submit(r, ""); err == nil || err.Error() != "status 503 STORE_FULL" {
			t.Errorf("got %q, %v, want 503 STORE_FULL", id, err)
		}
	}
	refused()

	fill(t, ballast, 1<<30)
	close(hold)
	testkit.Eventually(t, "a write fails", func() bool { return strings.Contains(r.out.String(), "no space left on device") })
	refused()
	r.answers("/ready", `503 {"status":"not_ready","reason":"disk_full"}`)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it writes again", func() bool { return strings.Contains(r.out.String(), "jetstream writes again") })
	r.answers("/ready", `200 {"status":"ready"}`)
	later, err := c.admitted(r)
	if err != nil {
		t.Fatal(err)
	}
	c.judge(n, append(ids, later))
	for _, id := range append(ids, later) {
		c.oneEnd(r, id)
	}
	if r.pid() != pid || strings.Contains(r.out.String(), "panic") {
		t.Error("it was restarted")
	}
	r.stop()
}

// answers waits for this status and body of a public route.
func (r *replica) answers(path, want string) {
	r.c.t.Helper()
	testkit.Eventually(r.c.t, path+" is "+want, func() bool { return answerOf(r.c.t, r, path) == want })
}
