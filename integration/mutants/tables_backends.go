package main

import "slices"

// backends returns the mutants of what is behind the gateway: package authmin/backend, the
// orchestrator and the pool manager. Those that have one package's tests stand together.
func backends() []Mutant {
	return slices.Concat(
		backendAuth, backendService, backendScopes,
		orchestratorRefusals, orchestratorRefusalsMore, orchestratorNodes, orchestratorTasks,
		orchestratorCallRefusals, orchestratorCalls, orchestratorAnswers, orchestratorStore,
		poolmanagerAdapter, poolmanagerWire, poolmanagerStaging, poolmanagerCalls,
	)
}
