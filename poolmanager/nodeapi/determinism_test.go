package nodeapi

import (
	"slices"
	"testing"
)

func TestDeterminismTravelsAsAWorkload(t *testing.T) {
	before := []string{WorkloadCompletion}
	if got := WithDeterminism(before, false); !slices.Equal(got, before) || (Pool{Workloads: got}).Deterministic() {
		t.Errorf("a pool that is not: got %q", got)
	}
	got := WithDeterminism(before, true)
	if p := (Pool{Workloads: got}); len(got) != 2 || len(got[1]) > 32 || !p.Deterministic() || len(p.Contexts()) != 0 || len(p.Protocols()) != 0 {
		t.Errorf("a pool that is: got %q", got)
	}
}
