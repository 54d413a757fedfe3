package cluster_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestAReplicaOpensTwoPortsAndKeepsItsTokens: the API on loopback, the routes,
// and nothing else, not even what one replica might tell another to open; and a
// node's dispatch token is in no file and no log line of any of them.
func TestAReplicaOpensTwoPortsAndKeepsItsTokens(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 2, nil)
	var ids []string
	testkit.Within(t, 20*time.Second, "tasks are admitted", func() error {
		id, err := c.submit(c.replicas[len(ids)%3], "")
		if err == nil {
			ids = append(ids, id)
		}
		if len(ids) < 20 {
			return fmt.Errorf("%d tasks, %w", len(ids), err)
		}
		return nil
	})
	for _, r := range c.replicas {
		want := []string{r.http, r.routes}
		slices.Sort(want)
		if got := listening(t, r.pid()); !slices.Equal(got, want) {
			t.Errorf("%s listens on %v, want %v", r.name, got, want)
		}
	}
	c.judge(n, ids)
	for _, r := range c.replicas {
		r.stop()
		if files := containing(t, r.dir, nodeToken); len(files) != 0 {
			t.Errorf("%s: the node's dispatch token is in %v", r.name, files)
		}
		if !bytes.Contains([]byte(r.tail()), []byte("stopping")) || strings.Contains(r.tail(), nodeToken) {
			t.Errorf("%s has not stopped by itself, or has logged the token", r.name)
		}
	}
	if files := containing(t, c.replicas[0].dir, ids[0]); len(files) == 0 {
		t.Error("the search finds nothing at all") // the control
	}
}

// listening is every address on which the process accepts connections.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	inodes := make(map[string]bool)
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, "socket:[") {
			inodes[strings.TrimSuffix(strings.TrimPrefix(name, "socket:["), "]")] = true
		}
	}
	var found []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue // no IPv6 here
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] { // 0A: LISTEN
				continue
			}
			address, port, _ := strings.Cut(fields[1], ":")
			number, err := strconv.ParseInt(port, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			if address == "0100007F" {
				address = "127.0.0.1"
			}
			found = append(found, fmt.Sprintf("%s:%d", address, number))
		}
		f.Close()
	}
	slices.Sort(found)
	return found
}

// containing is every file below dir that has the text in it.
func containing(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// has says whether a file below dir has the text in it.
func has(dir, text string) error {
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // files come and go
		}
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(text)) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("not in any file")
	}
	return err
}
