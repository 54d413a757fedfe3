// Package tasks_test measures the whole path of a task: admissions that are
// durable, the time that gateway, orchestrator and pool manager add to a first
// token, the tokens that get through, and the memory that waiting tasks and open
// streams cost.
//
// Every program is a process of its own, as in production, and all share the
// machine with the client. Machines are noisy, so figures are ratios of two
// things measured in turn in one run, or medians over such turns.
//
//	go test -run '^$' -bench . -benchtime 5x ./integration/bench/tasks
package tasks_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

var folder string // of the two daemons

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "llorch-daemons-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for the programs:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	folder = dir
	return gatewaytest.Run(m)
}

// daemons builds orchestratord and poolmanagerd when they are first asked for.
var daemons = sync.OnceValue(func() error {
	root, err := gatewaytest.Root()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", folder+"/", "./orchestrator/cmd/orchestratord", "./poolmanager/cmd/poolmanagerd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

// olderPrograms names a folder with orchestratord, poolmanagerd and llorch of another
// version.
const olderPrograms = "LLORCH_BENCH_OLDER"

// daemon runs one of the two until the benchmark ends; from is the folder of its program,
// "" for what is built here.
func daemon(b *testing.B, from, name string, env []string, args ...string) *gatewaytest.Process {
	b.Helper()
	if from == "" {
		if err := daemons(); err != nil {
			b.Fatalf("building the daemons: %v", err)
		}
		from = folder
	}
	cmd := exec.Command(filepath.Join(from, name), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.TempDir()}, env...)
	return gatewaytest.StartCommand(b, cmd)
}

// quantile gives the value that this share of the values is at or below.
func quantile(values []float64, share float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[min(len(values)-1, int(share*float64(len(values))))]
}

func median(values []float64) float64 { return quantile(values, 0.5) }
