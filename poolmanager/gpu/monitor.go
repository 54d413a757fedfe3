package gpu

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// measureEvery is how often free memory is measured; nvidia-smi takes up to a second.
	measureEvery = 10 * time.Second
	// toolLimit bounds one run of a tool: it hangs when the driver hangs.
	toolLimit = 5 * time.Second
)

// tool finds the devices of one vendor. run gives the tool's output.
type tool struct {
	names []string // looked for in this order
	read  func(run func(args ...string) (string, error)) ([]device, error)
}

// tools are asked in this order. amd-smi replaces rocm-smi from ROCm 7 on.
var tools = []tool{
	{[]string{"nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"}, readNVIDIA}, // WSL does not put it on every PATH
	{[]string{"rocm-smi", "/opt/rocm/bin/rocm-smi"}, readROCm},
	{[]string{"amd-smi", "/opt/rocm/bin/amd-smi"}, readAMD},
}

// Monitor measures the devices' memory in the background. A machine without
// a tool has no GPU; a tool that fails is no reason not to start.
type Monitor struct {
	// Environment is the environment of the tools' processes, LC_ALL excepted;
	// no other variable is passed on to them.
	Environment []string
	// Exec runs a tool; nil runs it as a process. With an Exec no tool is looked for
	// on the PATH.
	Exec RunTool

	mu    sync.Mutex
	found []device
}

// Measure runs the tools once. After a failure the devices stay known, with no free
// memory: the last reading is out of date.
func (m *Monitor) Measure(ctx context.Context) error {
	exec := m.Exec
	if exec == nil {
		exec = m.runCommand
	}
	var found []device
	var failed error
	amd := false
	for i, t := range tools {
		if i > 1 && amd {
			break // both are AMD's
		}
		path, ok := findTool(t.names)
		if m.Exec != nil {
			path, ok = t.names[0], true
		}
		if !ok {
			continue
		}
		devices, err := t.read(func(args ...string) (string, error) { return exec(ctx, path, args...) })
		if errors.Is(err, ErrNoTool) {
			continue
		}
		failed = errors.Join(failed, err)
		found = append(found, devices...)
		amd = amd || i == 1 && err == nil
	}
	if failed != nil && ctx.Err() != nil {
		return failed // ctx ended: the last reading stays
	}
	found = found[:min(len(found), maxGPUs)]
	m.mu.Lock()
	defer m.mu.Unlock()
	if failed != nil && len(found) == 0 {
		for i := range m.found {
			m.found[i].free = 0
		}
		return failed
	}
	m.found = found
	return failed
}

// Run measures until ctx ends, and logs changes of the error.
func (m *Monitor) Run(ctx context.Context, report func(error)) {
	if !slices.ContainsFunc(tools, func(t tool) bool { _, ok := findTool(t.names); return ok }) {
		return
	}
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := m.Measure(ctx)
		if err != nil && err.Error() != last && ctx.Err() == nil {
			report(err)
		}
		if last = ""; err != nil {
			last = err.Error()
		}
	}
}

// Devices is what the node has, in the order of the tools.
func (m *Monitor) Devices() []nodeapi.GPU {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []nodeapi.GPU
	for _, d := range m.found {
		list = append(list, d.GPU)
	}
	return list
}

// Free is what the named devices have free together; none named is all.
func (m *Monitor) Free(names []string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	free, unified := int64(0), int64(0)
	for _, d := range m.found {
		switch {
		case len(names) > 0 && !slices.ContainsFunc(names, d.is):
		case d.unified:
			unified = max(unified, d.free)
		default:
			free += d.free
		}
	}
	return free + unified
}
