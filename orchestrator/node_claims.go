package orchestrator

import (
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// What a node claims decides which tasks it gets, so it is bounded by what its
// registration says that its devices have, and that by what devices can have.
const (
	// maxGPUs bounds the devices of one node: the largest servers have sixteen.
	maxGPUs = 64
	// maxDeviceBytes is more memory than one accelerator has: three times the
	// largest of 2026.
	maxDeviceBytes = 1 << 40
	// maxRAMBytes and maxCores are more than one machine has.
	maxRAMBytes = 1 << 46
	maxCores    = 1 << 16
	// maxDeviceName bounds the names of a device, in bytes.
	maxDeviceName = 128
)

// engineName is what the kind of an engine may be called: it becomes a label, and
// part of records and answers.
var engineName = regexp.MustCompile(`^[a-z0-9_-]{0,64}$`)

// legible reports whether a name is valid UTF-8 of at most limit bytes and printable
// as it is.
func legible(name string, limit int) bool {
	return utf8.ValidString(name) && printable(name, limit) == name
}

// checkCapabilities refuses devices that cannot be.
func checkCapabilities(c nodeapi.Capabilities) error {
	switch {
	case len(c.GPUs) > maxGPUs:
		return fail(Invalid, "INVALID_NODE", "more than %d gpus", maxGPUs)
	case c.CPUCores < 0 || c.CPUCores > maxCores:
		return fail(Invalid, "INVALID_NODE", "cpu_cores must be 0 to %d", maxCores)
	case c.RAMTotalBytes < 0 || c.RAMTotalBytes > maxRAMBytes:
		return fail(Invalid, "INVALID_NODE", "ram_total_bytes must be 0 to %d", int64(maxRAMBytes))
	}
	for i, g := range c.GPUs {
		if g.VRAMTotalBytes < 0 || g.VRAMTotalBytes > maxDeviceBytes {
			return fail(Invalid, "INVALID_NODE", "vram_total_bytes of gpu %d must be 0 to %d", i, int64(maxDeviceBytes))
		}
		if !legible(g.DeviceID, maxDeviceName) || !legible(g.Name, maxDeviceName) || !legible(g.ComputeCapability, maxWord) {
			return fail(Invalid, "INVALID_NODE", "a name of gpu %d is too long or not printable", i)
		}
		if slices.ContainsFunc(c.GPUs[:i], func(other nodeapi.GPU) bool { return other.DeviceID == g.DeviceID }) {
			return fail(Invalid, "INVALID_NODE", "gpu %d has the device_id of another one", i)
		}
	}
	return nil
}

// deviceBytes is the memory of all devices: at most maxGPUs × maxDeviceBytes.
func deviceBytes(c nodeapi.Capabilities) (sum int64) {
	for _, g := range c.GPUs {
		sum += g.VRAMTotalBytes
	}
	return sum
}

// checkMemory refuses a registration in which a pool has more free memory than the
// devices of the same registration have.
func checkMemory(pools []nodeapi.Pool, c nodeapi.Capabilities) error {
	for _, p := range pools {
		if p.VRAMFreeBytes > deviceBytes(c) {
			return fail(Invalid, "INVALID_NODE", "vram_free_bytes of pool %s is over what the gpus in capabilities have together", p.PoolID)
		}
	}
	return nil
}

// bounded limits the free memory of pools to what the node's devices have, and makes
// their texts printable. A heartbeat with more is not refused: devices may have changed
// since the registration, and the node would go offline.
func bounded(pools []nodeapi.Pool, c nodeapi.Capabilities) []nodeapi.Pool {
	pools, most := slices.Clone(pools), deviceBytes(c)
	for i := range pools {
		p := &pools[i]
		p.VRAMFreeBytes, p.Restarts = min(p.VRAMFreeBytes, most), max(0, p.Restarts)
		p.State, p.LastError = printable(p.State, maxWord), printable(p.LastError, maxMessage)
	}
	return pools
}
