package poolmanager

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/poolmanager/client"
)

func TestNVIDIAOutputIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		gpus   []client.GPU
		free   int64
	}{
		"nothing": {"", nil, 0},
		"two devices": {"GPU-aaaa, NVIDIA GeForce RTX 3090, 24576, 24000, 8.6\nGPU-bbbb, NVIDIA H100 80GB HBM3, 81559, 1, 9.0\n",
			[]client.GPU{{DeviceID: "GPU-aaaa", Name: "NVIDIA GeForce RTX 3090", VRAMTotalBytes: 24576 << 20, ComputeCapability: "8.6"},
				{DeviceID: "GPU-bbbb", Name: "NVIDIA H100 80GB HBM3", VRAMTotalBytes: 81559 << 20, ComputeCapability: "9.0"}}, 24001 << 20},
		"what a device lacks": {"GPU-cccc, Tesla K80, 11441, [N/A], [Not Supported]\r\n",
			[]client.GPU{{DeviceID: "GPU-cccc", Name: "Tesla K80", VRAMTotalBytes: 11441 << 20}}, 0},
	} {
		gpus, free, err := parseNVIDIA(c.output)
		if err != nil || free != c.free {
			t.Errorf("%s: free %d, %v", name, free, err)
		}
		if diff := cmp.Diff(c.gpus, gpus); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, output := range []string{"No devices were found\n", "a,b,c\n", "a, b, many, 1, 8.6\n", "a, b, -1, 1, 8.6\n", "a, b, 99999999999999999999, 1, 8\n"} {
		if gpus, _, err := parseNVIDIA(output); err == nil {
			t.Errorf("%q was read as %+v", output, gpus)
		}
	}
}

func TestMemoryAndNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(path, []byte("MemTotal:       16384 kB\nMemFree: 1 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := memoryTotal(path); got != 16384<<10 {
		t.Errorf("memory: got %d", got)
	}
	if got := memoryTotal("/nonexistent"); got != 0 {
		t.Errorf("no file: got %d", got)
	}
	if id := defaultNodeID(); !nodeIDPattern.MatchString(id) {
		t.Errorf("the default node id is %q", id)
	}
	if first, again := machineID("a"), machineID("a"); first == "" || first != again {
		t.Error("the machine id is not stable")
	}
}
