package gpu

import (
	"fmt"
	"strings"
	"testing"
)

// TestAmountsThatNoDeviceHasAreRefused: shifted into bytes some of them would be
// small again, or negative, and an engine would be started into no memory.
func TestAmountsThatNoDeviceHasAreRefused(t *testing.T) {
	amd := func(value, unit string) error {
		_, err := parseAMD(`[{"gpu": 0}]`, fmt.Sprintf(`[{"gpu": 0, "mem_usage": {"total_vram": {"value": %s, "unit": %q}}}]`, value, unit))
		return err
	}
	for _, c := range [][2]string{
		{"1099511627776", "GB"}, {"8589934592", "GB"}, {"17179869184", "GB"}, {"1048577", "GB"}, {"1073741825", "MB"}, {"1e300", "B"},
		{"-1", "MB"}, {`"NaN"`, "MB"}, {`"Inf"`, "B"},
	} {
		if err := amd(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "not an amount of memory") {
			t.Errorf("%s %s of amd-smi: got %v", c[0], c[1], err)
		}
	}
	for _, c := range [][2]string{{"1048576", "GB"}, {`"N/A"`, "MB"}, {"0", "B"}} {
		if err := amd(c[0], c[1]); err != nil {
			t.Errorf("%s %s of amd-smi: %v", c[0], c[1], err)
		}
	}
	for _, text := range []string{"9223372036854775807", "1125899906842625", "-1", "18446744073709551616"} {
		if _, err := parseROCm(fmt.Sprintf(`{"card0": {"VRAM Total Memory (B)": %q}}`, text)); err == nil {
			t.Errorf("%s of rocm-smi was believed", text)
		}
	}
	for _, text := range []string{"8796093022207 MiB", "1073741825 MiB", "-1 MiB"} {
		if got, err := mebibytes(text); err == nil {
			t.Errorf("%s of nvidia-smi was believed: %d", text, got)
		}
	}
}

// TestTheSumOfAllDevicesIsNoSmallerThanOne: as many as are believed, each with all
// that is.
func TestTheSumOfAllDevicesIsNoSmallerThanOne(t *testing.T) {
	var m Monitor
	for range maxGPUs {
		m.found = append(m.found, device{free: maxDeviceBytes})
	}
	if got := m.Free(nil); got != maxGPUs*maxDeviceBytes {
		t.Errorf("got %d", got)
	}
}
