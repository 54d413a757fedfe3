// Package cluster_test runs three orchestratord as real processes that share
// their state over routes with mutual TLS, and does to them what happens to
// hosts: kill -9, a clean stop, a partition, a full disk. It says afterwards
// whether anything that was acknowledged is gone, and whether anything ended
// twice.
package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// folder holds the program under test.
var folder string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "orchestratord-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	folder = dir
	return m.Run()
}

// long reports whether the long forms of the tests were asked for.
func long() bool { return os.Getenv("LLORCH_LONG_TESTS") == "1" }

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "orchestratord")
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", path, "github.com/llorch/gateway/orchestrator/cmd/orchestratord")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return path, nil
})
