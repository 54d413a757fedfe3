package poolmanager

import (
	"slices"
	"strings"
	"testing"
)

func TestMasksReachTheEngine(t *testing.T) {
	template := LlamaCPPTemplate()
	template.Devices = []string{"1", "0"}
	template.Command = append(template.Command, "--devices={gpu_mask}")
	if err := template.Validate(); err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{"CUDA_VISIBLE_DEVICES": "7", "HIP_VISIBLE_DEVICES": "7", "ROCR_VISIBLE_DEVICES": "7", "HOME": "/x"}
	lookup := func(name string) (string, bool) { v, ok := ours[name]; return v, ok }
	want := []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=1,0", "HIP_VISIBLE_DEVICES=1,0", "HOME=/x"}
	if got := template.environment(lookup, startValues{}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := template.arguments(startValues{}); got[len(got)-1] != "--devices=1,0" {
		t.Errorf("got %q", got)
	}
	template.Devices = nil
	if err := template.Validate(); err == nil || !strings.Contains(err.Error(), "devices: missing") {
		t.Errorf("a mask without devices: %v", err)
	}
}
