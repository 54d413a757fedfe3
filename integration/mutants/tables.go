package main

import "slices"

// all returns the mutants of every area. Mutants of one package stand together: what the
// tests of that package need is then compiled once for all that fit into a budget.
func all() []Mutant {
	return slices.Concat(
		edgeDecide, edgePath, edgeToken, edgeGuard, edgeLimits, edgeAudit, edgeBudget, edgeCall, edgeModel,
		backends(),
	)
}
