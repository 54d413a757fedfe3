// Package cluster_test runs three orchestratord as real processes that share
// their state over routes with mutual TLS, and does to them what happens to
// hosts: kill -9, a clean stop, a partition, a full disk. It says afterwards
// whether anything that was acknowledged is gone, and whether anything ended
// twice.
package cluster_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// atOnce is how many clusters run beside each other.
const atOnce = 4

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
	// Replicas wait more than they work: for elections, most of the time.
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0)))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// long reports whether the long forms of the tests were asked for.
func long() bool { return os.Getenv("LLORCH_LONG_TESTS") == "1" }

var build = sync.OnceValues(func() (string, error) { return buildWith("orchestratord") })

func buildWith(name string, args ...string) (string, error) {
	return buildProgram("github.com/llorch/gateway/orchestrator/cmd/orchestratord", name, args...)
}

func buildProgram(pkg, name string, args ...string) (string, error) {
	path := filepath.Join(folder, name)
	return path, gatewaytest.BuildAt(".", pkg, path, args...)
}
