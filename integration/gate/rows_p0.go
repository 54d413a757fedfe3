package main

// blockers are the P0 list: what kept the predecessor from being released.
var blockers = []row{
	{id: "P0.1", title: "the timing leak of node registration is closed, and its regression test measures", tests: []named{
		{"./orchestrator", "TestSecurityTiming/POST_/v2/nodes/register", 0},
		{"./integration/houserules", "TestSecretLint", 0},
	}, looks: []look{measured(timingTests[1])}},
	{id: "P0.2", title: "the pool manager checks credentials", tests: []named{
		{"./poolmanager", "TestAuthIntegration", 13},
		{"./poolmanager", "TestStartRefusesAnOpenAddressWithoutATokenAndEqualTokens", 0},
	}},
	{id: "P0.3", title: "every HTTP client of ours sends its token", tests: []named{
		{"./poolmanager/nodeapi", "TestEveryCallSendsTheToken", 0},
		{"./poolmanager", "TestANodeRegistersBeatsComesBackAndLeaves", 0},
		{"./poolmanager/adapter", "TestTheRequestCarriesTheTasksParameters", 0},
		{"./orchestrator", "TestTheSharedTokenGoesOnlyToNamedAddresses", 0},
	}},
	{id: "P0.4", title: "integration tests run with authentication", tests: []named{
		{"./orchestrator", "TestAuthIntegration", 20},
		{"./poolmanager", "TestAuthIntegration", 13},
		{"./integration", "TestExamplePolicy", 0},
		{"./integration", "TestIdentityIsTheTokens", 0},
		{"./integration/presets", "TestPresetsRun", 0},
	}},
	{id: "P0.5", title: "end to end with authentication on", tests: []named{
		{"./integration", "TestUp", 8},
		{"./integration/attacks", "TestAttacks", 50},
		{"./integration/attacks", "TestAttacksCanFail", 0},
		featureTest,
	}},
}
