package gpu

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheMachinesMemoryIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(path, []byte("MemTotal:       16384 kB\nMemFree: 1 kB\nBroken: x kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{"MemTotal": 16384 << 10, "MemFree": 1 << 10, "Broken": 0, "Absent": 0} {
		if got := meminfo(path, key); got != want {
			t.Errorf("%s: got %d", key, got)
		}
	}
	if got := meminfo("/nonexistent", "MemTotal"); got != 0 {
		t.Errorf("no file: got %d", got)
	}
}
