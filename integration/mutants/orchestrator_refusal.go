package main

// What the orchestrator refuses: one mutant for each problem code, at the place that decides.

var orchestratorRefusals = []Mutant{
	{
		Name: "orchestrator/refusal/key-whose-task-was-lost", Control: "api.md POST /v2/tasks: IDEMPOTENCY_KEY_SPENT",
		File: "orchestrator/idempotency_key.go", Package: "./orchestrator", Tests: "TestAForgottenTaskIsNotRunAgainByItsKey",
		Old: "\tif e == nil && o.now().Sub(stored.Created) > keyGrace {",
		New: "\tif false && (e == nil && o.now().Sub(stored.Created) > keyGrace) {",
	},
	{
		Name: "orchestrator/refusal/device-twice", Control: "api.md nodes: a claim is bounded by devices",
		File: "orchestrator/node_claims.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\t\tif slices.ContainsFunc(c.GPUs[:i], func(other nodeapi.GPU) bool { return other.DeviceID == g.DeviceID }) {",
		New: "\t\tif false && (slices.ContainsFunc(c.GPUs[:i], func(other nodeapi.GPU) bool { return other.DeviceID == g.DeviceID })) {",
	},
	{
		Name: "orchestrator/refusal/devices-of-a-node", Control: "api.md nodes: a claim is bounded by devices",
		File: "orchestrator/node_claims.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\tcase len(c.GPUs) > maxGPUs:",
		New: "\tcase false && (len(c.GPUs) > maxGPUs):",
	},
	{
		Name: "orchestrator/refusal/memory-of-a-device", Control: "api.md nodes: a claim is bounded by devices",
		File: "orchestrator/node_claims.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\t\tif g.VRAMTotalBytes < 0 || g.VRAMTotalBytes > maxDeviceBytes {",
		New: "\t\tif false && (g.VRAMTotalBytes < 0 || g.VRAMTotalBytes > maxDeviceBytes) {",
	},
	{
		Name: "orchestrator/refusal/memory-of-a-pool", Control: "api.md nodes: a claim is bounded by devices",
		File: "orchestrator/node_claims.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\t\tif p.VRAMFreeBytes > deviceBytes(c) {",
		New: "\t\tif false && (p.VRAMFreeBytes > deviceBytes(c)) {",
	},
	{
		Name: "orchestrator/refusal/reload-with-a-retired-model", Control: "api.md pools reload: MODEL_RETIRED",
		File: "orchestrator/node_control.go", Package: "./orchestrator", Tests: "TestAReloadedPoolHasItsNewModel",
		Old: "\tif c.Verb == Reload && o.catalog.retired(c.ModelRef) {",
		New: "\tif false && (c.Verb == Reload && o.catalog.retired(c.ModelRef)) {",
	},
	{
		Name: "orchestrator/refusal/registration-over-a-record", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_peers.go", Package: "./orchestrator", Tests: "TestAReportFitsIntoAMessage",
		Old: "\tif len(message) > store.MaxRecordBytes {",
		New: "\tif false && (len(message) > store.MaxRecordBytes) {",
	},
	{
		Name: "orchestrator/refusal/model-alias", Control: "api.md catalog: INVALID_MODEL",
		File: "orchestrator/catalog_model.go", Package: "./orchestrator", Tests: "TestAnAliasIsOneModelsAlone",
		Old: "\t\tif !modelref.ValidID(alias) || alias == r.ID || slices.Contains(r.Aliases[:i], alias) {",
		New: "\t\tif false && (!modelref.ValidID(alias) || alias == r.ID || slices.Contains(r.Aliases[:i], alias)) {",
	},
	{
		Name: "orchestrator/refusal/model-id-with-a-prefix", Control: "api.md catalog: INVALID_MODEL",
		File: "orchestrator/catalog_model.go", Package: "./orchestrator", Tests: "TestAnAliasIsOneModelsAlone",
		Old: "\t\tif prefixed(name) {",
		New: "\t\tif false && (prefixed(name)) {",
	},
	{
		Name: "orchestrator/refusal/key-with-another-request", Control: "api.md POST /v2/tasks: 409",
		File: "orchestrator/idempotency_key.go", Package: "./orchestrator", Tests: "TestAnIdempotencyKeyGivesOneTask",
		Old: "\tif !digest.of(earlier.Body) {",
		New: "\tif false && (!digest.of(earlier.Body)) {",
	},
	{
		Name: "orchestrator/refusal/artifact-parent-unknown", Control: "api.md artifacts: PARENT_NOT_FOUND",
		File: "orchestrator/artifact_keep.go", Package: "./orchestrator", Tests: "TestArtifactsBelongToTheirIdentity",
		Old: "\t\t} else if !known {",
		New: "\t\t} else if false && (!known) {",
	},
	{
		Name: "orchestrator/refusal/model-source", Control: "api.md catalog: INVALID_SOURCE",
		File: "orchestrator/catalog_model.go", Package: "./orchestrator", Tests: "TestModelIDsAndSourcesAreNoPaths",
		Old: "\tif _, err := modelref.ParseSource(source); err != nil {",
		New: "\tif _, err := modelref.ParseSource(source); false && (err != nil) {",
	},
	{
		Name: "orchestrator/refusal/nodes-of-all", Control: "api.md nodes: TOO_MANY_NODES",
		File: "orchestrator/node_owner.go", Package: "./orchestrator", Tests: "TestNodeIDsAreBounded",
		Old: "\tif full {",
		New: "\tif false && (full) {",
	},
	{
		Name: "orchestrator/refusal/full-catalog", Control: "api.md catalog: CATALOG_FULL",
		File: "orchestrator/catalog_change.go", Package: "./orchestrator", Tests: "TestTheCatalogsBoundsAreKept",
		Old: "\t\tif c.full(who) {",
		New: "\t\tif false && (c.full(who)) {",
	},
	{
		Name: "orchestrator/refusal/model-record-too-large", Control: "api.md catalog: MODEL_TOO_LARGE",
		File: "orchestrator/catalog_change.go", Package: "./orchestrator", Tests: "TestTheCatalogsBoundsAreKept",
		Old: "\tif err == nil && len(value) > maxModelRecord {",
		New: "\tif false && (err == nil && len(value) > maxModelRecord) {",
	},
	{
		Name: "orchestrator/refusal/verifications-in-progress", Control: "api.md catalog: TOO_MANY_VERIFICATIONS",
		File: "orchestrator/catalog_verify.go", Package: "./orchestrator", Tests: "TestTheCatalogsBoundsAreKept",
		Old: "\tcase c.verifying() >= maxChecks:",
		New: "\tcase false && (c.verifying() >= maxChecks):",
	},
	{
		Name: "orchestrator/refusal/model-digest", Control: "api.md catalog: INVALID_MODEL",
		File: "orchestrator/catalog_model.go", Package: "./orchestrator", Tests: "TestTheDomainChecksIDsAndDigestsItself",
		Old: "\tcase !modelref.ValidDigest(r.Digest):",
		New: "\tcase false && (!modelref.ValidDigest(r.Digest)):",
	},
	{
		Name: "orchestrator/refusal/model-id", Control: "api.md catalog: INVALID_MODEL",
		File: "orchestrator/catalog_model.go", Package: "./orchestrator", Tests: "TestTheDomainChecksIDsAndDigestsItself",
		Old: "\tcase !modelref.ValidID(r.ID):",
		New: "\tcase false && (!modelref.ValidID(r.ID)):",
	},
	{
		Name: "orchestrator/refusal/artifact-of-another-content-under-one-id", Control: "api.md artifacts: ARTIFACT_EXISTS",
		File: "orchestrator/artifact_keep.go", Package: "./orchestrator", Tests: "TestTheSameArtifactAgainChangesNothing",
		Old: "\tif !earlier.same(a) {",
		New: "\tif false && (!earlier.same(a)) {",
	},
	{
		Name: "orchestrator/refusal/problem-code-of-a-node", Control: "api.md pools: a code is passed on",
		File: "orchestrator/node_control.go", Package: "./orchestrator", Tests: "TestWhatAPoolManagerAnswersIsTranslated",
		Old: "\tif !problemCode.MatchString(code) {",
		New: "\tif false && (!problemCode.MatchString(code)) {",
	},
	{
		Name: "orchestrator/refusal/dispatch-token-of-a-node", Control: "api.md nodes: dispatch_token",
		File: "orchestrator/node_owner.go", Package: "./orchestrator", Tests: "TestWhatCannotBeANodeIsRefused",
		Old: `		if _, presented := authmin.ParseBearer([]string{"Bearer " + own}); presented != authmin.PresentedToken {`,
		New: `		if _, presented := authmin.ParseBearer([]string{"Bearer " + own}); false && (presented != authmin.PresentedToken) {`,
	},
	{
		Name: "orchestrator/refusal/artifact-tag", Control: "api.md artifacts: INVALID_ARTIFACT",
		File: "orchestrator/artifact_record.go", Package: "./orchestrator", Tests: "TestWrongArtifactsAreRefused",
		Old: `		if tag == "" || len(tag) > 128 {`,
		New: `		if false && (tag == "" || len(tag) > 128) {`,
	},
	{
		Name: "orchestrator/refusal/artifact-that-is-no-json", Control: "api.md artifacts: INVALID_ARTIFACT",
		File: "orchestrator/artifact_record.go", Package: "./orchestrator", Tests: "TestWrongArtifactsAreRefused",
		Old: "\tif err := decoder.Decode(&value); err != nil || value == nil {",
		New: "\tif err := decoder.Decode(&value); false && (err != nil || value == nil) {",
	},
	{
		Name: "orchestrator/refusal/artifact-too-large", Control: "api.md artifacts: ARTIFACT_TOO_LARGE",
		File: "orchestrator/artifact_record.go", Package: "./orchestrator", Tests: "TestWrongArtifactsAreRefused",
		Old: "\tif err == nil && len(value) > store.MaxRecordBytes {",
		New: "\tif false && (err == nil && len(value) > store.MaxRecordBytes) {",
	},
}
