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
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }

// olderPrograms names a folder with orchestratord, poolmanagerd and llorch of another
// version.
const olderPrograms = "LLORCH_BENCH_OLDER"

// daemon runs one of the two until the benchmark ends; from is the folder of its program,
// "" for what is built here.
func daemon(b *testing.B, from, name string, env []string, args ...string) *gatewaytest.Process {
	b.Helper()
	program := filepath.Join(from, name)
	if from == "" {
		program = gatewaytest.Program(b, name)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.TempDir()}, env...)
	return gatewaytest.StartCommand(b, cmd)
}

// quantile gives the value that this share of the values is at or below.
func quantile(values []float64, share float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[min(len(values)-1, int(share*float64(len(values))))]
}

func median(values []float64) float64 { return quantile(values, 0.5) }
