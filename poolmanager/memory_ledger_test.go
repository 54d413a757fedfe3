package poolmanager

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/llorch/gateway/poolmanager/gpu"
)

// TestAGPUToolThatFailsAtTheStartIsAskedAgain: a driver that comes up after the
// pool manager must not leave the GPUs' memory uncounted for good.
func TestAGPUToolThatFailsAtTheStartIsAskedAgain(t *testing.T) {
	broken := errors.New("the driver is not there yet")
	gpus := &gpu.Monitor{Exec: func(context.Context, string, ...string) (string, error) { return "", broken }}
	failed := gpus.Measure(t.Context())
	if failed == nil {
		t.Fatal("a tool that fails was not noticed")
	}
	s := &Service{pools: &manager{}}
	o := Options{Log: slog.New(slog.DiscardHandler)}
	l := s.newLedger(o, gpus, true)
	if l.read == nil {
		t.Fatal("the GPUs are never asked again")
	}
	if _, err := l.read(t.Context(), nil); err == nil {
		t.Error("a tool that still fails gives a reading")
	}
	o.MemoryBytes = 1 << 30
	if l := s.newLedger(o, gpus, true); l.budget != o.MemoryBytes {
		t.Errorf("budget %d, want the configured one", l.budget)
	}
	if l := s.newLedger(Options{Log: o.Log}, &gpu.Monitor{}, false); l.read != nil {
		t.Error("a machine without a tool is asked for its GPUs")
	}
}
