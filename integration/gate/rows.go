package main

import "slices"

// The steps of the developer loop that row 15 and its kind look at.
var loopSteps = []string{"format", "vet", "staticcheck", "lint", "race"}

// criteria are the fifteen rows of the gate, in their order.
var criteria = []row{
	{id: "1", title: "every token comparison goes through authmin's constant-time compare", tests: []named{
		{"./integration/houserules", "TestSecretLint", 0},
		{"./integration/houserules", "TestSecretLintFlags", 2},
		{"./authmin", "TestSecretEquality", 0},
		{"./authmin", "TestDigestProperties", 0},
		{"./authmin", "TestKeyringProperties", 0},
	}},
	{id: "2", title: "every bearer token is parsed by authmin", tests: []named{
		{"./integration/houserules", "TestBearerIsParsedByAuthminAlone", 0},
		{"./integration/houserules", "TestBearerLintFlags", 2},
		{"./authmin", "TestParseBearer", 10},
		{"./authmin", "TestBearerAlphabetIsExact", 0},
		{"./authmin", "TestBearerSchemeIsExact", 0},
		{"./authmin", "TestBearerProperties", 0},
	}},
	{id: "3", title: "every authentication log has the fp6 as identity", tests: []named{
		{"./authmin", "TestFingerprintOfTheSpecification", 0},
		{"./authmin", "TestDecide", 10},
		{"./authmin/backend", "TestBackendIdentity", 0},
		{"./authmin/backend", "TestBackendRefusesCredentials", 0},
		{"./caddymodule", "TestOneRecordForEachDecision", 0},
		{"./caddymodule", "TestADecisionsLine", 0},
	}},
	{id: "4", title: "/v2/nodes/* is guarded", looks: []look{guarded(nodeRoutes...)}, needs: walks, tests: []named{
		{"./integration/presets", "TestANewRouteIsSeen", 8},
		{"./orchestrator", "TestANodeBelongsToItsFirstRegistrant", 0},
	}},
	{id: "5", title: "every route of the pool manager is guarded", looks: []look{guarded(poolRoutes...)}, needs: walks, tests: []named{
		{"./poolmanager", "TestAuthIntegration", 13},
		{"./poolmanager", "TestTheRouteListIsComplete", 0},
		{"./authmin/backend", "TestARouteWithoutAScopeIsListedAsSuch", 4},
		{"./poolmanager", "TestStartRefusesAnOpenAddressWithoutATokenAndEqualTokens", 0},
	}},
	{id: "6", title: "the orchestrator sends its bearer token to pool managers", tests: []named{
		{"./poolmanager/nodeapi", "TestEveryCallSendsTheToken", 0},
		{"./orchestrator", "TestATaskStreamsItsLife", 0}, // its pools refuse others
		{"./orchestrator", "TestTheSharedTokenGoesOnlyToNamedAddresses", 0},
		{"./orchestrator", "TestACredentialOnlyGoesWhereTheOperatorAllows", 0},
		{"./orchestrator", "TestARedirectGetsNoCredential", 0},
	}},
	{id: "7", title: "the data plane is guarded", looks: []look{guarded(dataRoutes...)}, needs: walks, tests: []named{
		{"./orchestrator", "TestTasksBelongToTheirIdentity", 0},
		{"./integration", "TestExamplePolicy", 0},
	}},
	{id: "8", title: "the control plane, and every route of no other row, is guarded", looks: []look{guardedRest}, needs: walks, tests: []named{
		{"./orchestrator/httpapi", "TestEveryServedRouteIsListed", 0},
		{"./authmin/backend", "TestARouteWithoutAScopeIsListedAsSuch", 4},
		{"./integration/houserules", "TestRoutersAreMadeWhereTheyAreWalked", 0},
		{"./integration/presets", "TestANewRouteIsSeen", 8},
		{"./integration", "TestOnlyHealthIsPublic", 0},
		{"./caddymodule/page", "TestDataNeedATokenUnderTheBypass", 0},
		{"./caddymodule/page", "TestOtherSpellingsOfTheDataAreRefused", 0},
		{"./caddymodule/page", "TestAPageIsAlone", 20},
		{"./caddymodule/page", "TestAPageHasItsGuard", 0},
	}},
	{id: "9", title: "catalog, artifacts, sessions and workers are guarded", looks: []look{guarded(catalogRoutes...)}, needs: walks, tests: []named{
		{"./orchestrator", "TestArtifactsBelongToTheirIdentity", 0},
		{"./orchestrator", "TestSessionsBelongToTheirIdentity", 0},
	}},
	{id: "10", title: "timing tests pass, with a positive control and a bound of 10 %", looks: []look{measured(timingTests...)}, tests: []named{
		{"./orchestrator", "TestSecurityTiming", 2},
		{"./authmin", "TestLookupTakesTheSameTime", 0},
		{"./integration/timing", "TestTiming", 0},
		{"./integration/timing", "TestCompare", 0},
	}},
	{id: "11", title: "leakage tests pass", tests: leakage},
	{id: "12", title: "the scenarios pass against real processes", looks: []look{scenarios}, tests: []named{featureTest}},
	{id: "13", title: "the security documents are complete, and their commands run", looks: []look{complete}, tests: documentTests},
	{id: "14", title: "no raw token in logs, errors or traces", tests: []named{
		{"./integration/canary", "TestNoTokenInAnySink", 0},
		{"./integration/canary", "TestTheSearchFinds", 0},
		{"./integration/traces", "TestATraceGoesFromTheGatewayToTheEngine", 0},
		{"./caddymodule", "TestLogsHoldNoTokenInTheWrongPlace", 0},
	}},
	{id: "15", title: "the developer loop passes", steps: loopSteps, looks: []look{raced}, tests: slices.Concat(houseTests, documentTests)},
}

// leakage are the tests of everything that holds a secret and could show it.
var leakage = []named{
	{"./authmin", "TestSecretNeverPrints", 0},
	{"./authmin", "TestSecretNeverMarshals", 0},
	{"./authmin", "TestSecretShowsThatItIsRedacted", 0},
	{"./authmin", "TestDigestPrintsAsItsFingerprint", 0},
	{"./authmin/backend", "TestBackendLogsHoldNoTokenOfTheirs", 0},
	{"./caddymodule", "TestCredentialsAreNotLoggedOnRequest", 0},
	{"./caddymodule/page", "TestEachHolderSeesItsOwn", 0},
	{"./caddymodule/page", "TestTheOrchestratorIsAskedInTheHoldersName", 0},
	{"./caddymodule/page", "TestTheEventsOfATaskHaveNoAnswer", 0},
	{"./caddymodule/cli", "TestAuditVerifyRefusesWithoutLeaking", 0},
	{"./orchestrator", "TestANodesTokenIsNeverShown", 0},
	{"./poolmanager", "TestAnEnginesLogIsShownWithoutItsKey", 0},
	{"./poolmanager/cmd/poolmanagerd", "TestNoTokenReachesAnEnginesEnvironmentOrArguments", 0},
	{"./integration", "TestUp/no_secret_leaves", 0},
	{"./integration/presets", "TestUnitsHoldNoSecret", 0},
}

// documentTests run the commands of the documents and follow their links.
var documentTests = []named{
	{"./integration/houserules", "TestReadme", 10},
	commandTest,
	{"./integration/houserules", "TestLinks", 0},
	{"./integration/houserules", "TestLinksCanFail", 4},
	{"./integration/houserules", "TestCaddyfileExample", 2},
	{"./integration/presets", "TestReadme", 0},
}

// houseTests are the rules of the house that a machine can check.
var houseTests = []named{
	{".", "TestLayers", 0},
	{".", "TestLayersCanFail", 10},
	{"./integration/houserules", "TestSecretLint", 0},
	{"./integration/houserules", "TestSecretLintFlags", 2},
	{"./integration/houserules", "TestFiles", 0},
	{"./integration/houserules", "TestFilesCanFail", 10},
	{"./integration/houserules", "TestShape", 0},
	{"./integration/houserules", "TestShapeCanFail", 5},
	{"./integration/houserules", "TestExportedNamesAreDocumented", 0},
	{"./integration/houserules", "TestDocumentedCanFail", 10},
	{"./integration/houserules", "TestNamedCodeExists", 0},
	{"./integration/houserules", "TestNamedCodeCanFail", 20},
	{"./integration/houserules", "TestArchitectureListsEveryReason", 0},
	{"./integration/houserules", "TestWorkflows", 0},
	{"./integration/houserules", "TestWorkflowsCanFail", 8},
	{"./integration/houserules", "TestObservability", 0},
	{"./integration/houserules", "TestObservabilityCanFail", 10},
	{"./integration/houserules", "TestLicense", 0},
	{"./integration/houserules", "TestLicenseCanFail", 4},
}

// A signOff is what a person has to say and no program can.
type signOff struct {
	Role string `json:"role"`
	What string `json:"what"`
	Name string `json:"name"` // empty: open
	Date string `json:"date"`
}

// signOffs are printed as they stand here: open, until a person signs on the
// printed report. They do not change the exit code.
var signOffs = []signOff{
	{Role: "security", What: "read the threat model, and accepts what remains"},
	{Role: "operations", What: "walked through the incident runbooks on a system of their own"},
	{Role: "release", What: "the report is of the commit that is released"},
}
