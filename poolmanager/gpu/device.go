package gpu

import "github.com/llorch/gateway/poolmanager/nodeapi"

const (
	// maxGPUs bounds the devices in a tool's output: eight of seven instances each.
	maxGPUs = 64
	// maxDeviceBytes bounds the memory of one device: 1 PiB, thousands of times what any
	// has. maxGPUs of them still fit into an int64.
	maxDeviceBytes = 1 << 50
)

// device is a device, or an instance of one, with its free memory.
type device struct {
	nodeapi.GPU
	index   string // as its tool counts: what a mask may name
	free    int64
	unified bool // it has the machine's memory, which is counted once
}

// is reports whether a mask's entry means this device: its index, its id, or the
// beginning of it, as CUDA takes it.
func (d device) is(name string) bool {
	if d.index == name {
		return true
	}
	return len(name) >= minIDPrefix && len(d.DeviceID) >= len(name) && d.DeviceID[:len(name)] == name
}
