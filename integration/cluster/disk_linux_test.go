package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestAFullDiskOfOneReplica fills the disk of one replica while tasks are
// admitted: first so far that it refuses new work itself, then to the last byte.
// The others go on; with room again and a restart it has what it missed. The
// disk is a file system in memory, which only root can mount: the long form.
func TestAFullDiskOfOneReplica(t *testing.T) {
	if !long() {
		return
	}
	c := newCluster(t, 3)
	full := c.replicas[0]
	if err := os.MkdirAll(full.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", full.dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Fatalf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		full.kill()
		_ = syscall.Unmount(full.dir, syscall.MNT_DETACH)
	})
	c.start()
	n := newNode(t, c, 4, nil)
	a := c.admit(4)
	a.more(50, 30*time.Second)

	ballast := filepath.Join(full.dir, "ballast")
	fill(t, ballast, 150<<20)
	testkit.Within(t, 10*time.Second, "the replica refuses new work", func() error {
		if _, err := c.submit(full, ""); err == nil {
			return fmt.Errorf("it was admitted")
		}
		return nil
	})
	a.more(50, 20*time.Second)
	fill(t, ballast, 1<<30)
	a.more(200, 40*time.Second)
	t.Logf("the longest time without an acknowledgement: %s", a.gap)
	full.answers("/ready", `503 {"status":"not_ready","reason":"disk_full"}`)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	full.stop()
	full.start()
	full.answers("/ready", `200 {"status":"ready"}`)
	a.more(50, 20*time.Second)
	c.judge(n, a.end())
}

// fill makes the file that large, or as large as the disk allows.
func fill(t *testing.T, path string, size int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for range size >> 20 {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
