package poolmanager

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// gpuEvery is how often free memory is measured; nvidia-smi takes up to a second.
	gpuEvery = 10 * time.Second
	// gpuLimit bounds one run of a tool: it hangs when the driver does.
	gpuLimit = 5 * time.Second
	// maxGPUs bounds what is believed of a tool's output: eight devices of seven
	// instances each.
	maxGPUs = 64
	// maxDeviceBytes bounds what is believed of one device: 1 PiB, thousands of
	// times what any has. maxGPUs of them still fit into an int64.
	maxDeviceBytes = 1 << 50
)

// gpuDevice is a device, or an instance of one, and what it has free.
type gpuDevice struct {
	nodeapi.GPU
	index   string // as its tool counts: what a mask may name
	free    int64
	unified bool // it has the machine's memory, which is counted once
}

// gpuTool finds the devices of one vendor. run gives the tool's output.
type gpuTool struct {
	names []string // looked for in this order
	read  func(run func(args ...string) (string, error)) ([]gpuDevice, error)
}

// gpuTools are asked in this order. amd-smi replaces rocm-smi from ROCm 7 on.
var gpuTools = []gpuTool{
	{[]string{"nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"}, readNVIDIA}, // WSL does not put it on every PATH
	{[]string{"rocm-smi", "/opt/rocm/bin/rocm-smi"}, readROCm},
	{[]string{"amd-smi", "/opt/rocm/bin/amd-smi"}, readAMD},
}

// gpuMonitor measures the devices' memory in the background. A machine without
// a tool has no GPU; a tool that fails is no reason not to start.
type gpuMonitor struct {
	exec runTool // how a tool is run; runCommand unless a test says otherwise

	mu    sync.Mutex
	found []gpuDevice
}

// measure runs the tools once. After a failure the devices stay known, with
// nothing free: what they had is not true any more.
func (m *gpuMonitor) measure(ctx context.Context) error {
	exec := m.exec
	if exec == nil {
		exec = runCommand
	}
	var found []gpuDevice
	var failed error
	amd := false
	for i, tool := range gpuTools {
		if i > 1 && amd {
			break // both are AMD's
		}
		path, ok := findTool(tool.names)
		if m.exec != nil {
			path, ok = tool.names[0], true
		}
		if !ok {
			continue
		}
		devices, err := tool.read(func(args ...string) (string, error) { return exec(ctx, path, args...) })
		if errors.Is(err, errNoTool) {
			continue
		}
		failed = errors.Join(failed, err)
		found = append(found, devices...)
		amd = amd || i == 1 && err == nil
	}
	if failed != nil && ctx.Err() != nil {
		return failed // who asked has given up: that says nothing of the devices
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

// run measures until ctx ends; changes of the error are what is logged.
func (m *gpuMonitor) run(ctx context.Context, report func(error)) {
	if !slices.ContainsFunc(gpuTools, func(t gpuTool) bool { _, ok := findTool(t.names); return ok }) {
		return
	}
	ticker := time.NewTicker(gpuEvery)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := m.measure(ctx)
		if err != nil && err.Error() != last && ctx.Err() == nil {
			report(err)
		}
		if last = ""; err != nil {
			last = err.Error()
		}
	}
}

// devices is what the node has, in the order of the tools.
func (m *gpuMonitor) devices() []nodeapi.GPU {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []nodeapi.GPU
	for _, d := range m.found {
		list = append(list, d.GPU)
	}
	return list
}

// freeOf is what the named devices have free together; none named is all.
func (m *gpuMonitor) freeOf(names []string) int64 {
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

// is reports whether a mask's entry means this device: its index, its id, or the
// beginning of it, as CUDA takes it.
func (d gpuDevice) is(name string) bool {
	if d.index == name {
		return true
	}
	return len(name) >= minDevicePrefix && len(d.DeviceID) >= len(name) && d.DeviceID[:len(name)] == name
}
