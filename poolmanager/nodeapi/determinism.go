package nodeapi

import "slices"

// deterministicEntry is the workload by which a pool says that its engine gives the same
// tokens each time for the same prompt, seed and sampling options, however many other
// tasks it runs. As with protocols, orchestrators of older versions keep such a workload and
// place nothing there.
const deterministicEntry = "deterministic1"

// WithDeterminism adds to a pool's workloads that its engine is deterministic, if it is.
func WithDeterminism(workloads []string, deterministic bool) []string {
	if !deterministic {
		return workloads
	}
	return append(slices.Clone(workloads), deterministicEntry)
}

// Deterministic reports whether the pool's workloads say that its engine is deterministic.
func (p Pool) Deterministic() bool { return slices.Contains(p.Workloads, deterministicEntry) }
