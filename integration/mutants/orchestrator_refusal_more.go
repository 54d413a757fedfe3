package main

// What the orchestrator refuses: one mutant for each problem code, at the place that decides.

var orchestratorRefusalsMore = []Mutant{
	{
		Name: "orchestrator/refusal/refused-address", Control: "api.md nodes: NODE_ADDRESS_REFUSED",
		File: "orchestrator/node_registry.go", Package: "./orchestrator", Tests: "TestACredentialOnlyGoesWhereTheOperatorAllows",
		Old: `	to, err := ns.address.check(ctx, r.Address)
	if err != nil {`,
		New: `	to, err := ns.address.check(ctx, r.Address)
	if false && (err != nil) {`,
	},
	{
		Name: "orchestrator/refusal/model-of-nodes-that-come-back", Control: "api.md ready",
		File: "orchestrator/task_admit.go", Package: "./orchestrator", Tests: "TestAModelIsNotUnknownBeforeItsNodesAreBack",
		Old: "\tif left := o.nodes.returning(); left > 0 {",
		New: "\tif left := o.nodes.returning(); false && (left > 0) {",
	},
	{
		Name: "orchestrator/refusal/engine-of-a-pool", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_record.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\t\tcase !engineName.MatchString(p.Engine):",
		New: "\t\tcase false && (!engineName.MatchString(p.Engine)):",
	},
	{
		Name: "orchestrator/refusal/slots-of-a-pool", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_record.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\t\tcase p.SlotsTotal < 0 || p.SlotsTotal > maxSlots || p.SlotsFree < 0 || p.SlotsFree > p.SlotsTotal:",
		New: "\t\tcase false && (p.SlotsTotal < 0 || p.SlotsTotal > maxSlots || p.SlotsFree < 0 || p.SlotsFree > p.SlotsTotal):",
	},
	{
		Name: "orchestrator/refusal/slots-of-all-pools", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_record.go", Package: "./orchestrator", Tests: "TestANodeClaimsNoMoreThanItsDevicesHave",
		Old: "\tif slots > maxSlots {",
		New: "\tif false && (slots > maxSlots) {",
	},
	{
		Name: "orchestrator/refusal/task-for-a-retired-model", Control: "api.md catalog state",
		File: "orchestrator/task_admit.go", Package: "./orchestrator", Tests: "TestARetiredModelTakesNoNewTasks",
		Old: "\tif o.catalog.retired(r.ModelRef) {",
		New: "\tif false && (o.catalog.retired(r.ModelRef)) {",
	},
	{
		Name: "orchestrator/refusal/turns-of-a-session", Control: "api.md sessions: 8 turns",
		File: "orchestrator/session_turns.go", Package: "./orchestrator", Tests: "TestASessionTakesEightTurns",
		Old: "\tcase s.Turns >= MaxTurns:",
		New: "\tcase false && (s.Turns >= MaxTurns):",
	},
	{
		Name: "orchestrator/refusal/workload-that-no-pool-takes", Control: "api.md POST /v2/tasks",
		File: "orchestrator/task_admit.go", Package: "./orchestrator", Tests: "TestATaskGoesOnlyWhereItsWorkloadIsTaken",
		Old: "\tif len(holders) > 0 && !served {",
		New: "\tif false && (len(holders) > 0 && !served) {",
	},
	{
		Name: "orchestrator/refusal/task-over-what-a-pool-takes", Control: "api.md 413",
		File: "orchestrator/task_create.go", Package: "./orchestrator", Tests: "TestATaskThatNoPoolCouldTakeIsRefusedAtOnce",
		Old: "\tif rec.Request.call == nil && size > maxDispatchBytes && rec.Request.dispatchBytes() > maxDispatchBytes {",
		New: "\tif false && (rec.Request.call == nil && size > maxDispatchBytes && rec.Request.dispatchBytes() > maxDispatchBytes) {",
	},
	{
		Name: "orchestrator/refusal/workers-of-all", Control: "api.md workers: TOO_MANY_WORKERS",
		File: "orchestrator/node_workers.go", Package: "./orchestrator", Tests: "TestEachBoundKeepsATenthForOthers",
		Old: "\tif !taken && !admits(maxReplicas, int64(len(ws.replicas)), ws.of(who.Identity), 1) {",
		New: "\tif false && (!taken && !admits(maxReplicas, int64(len(ws.replicas)), ws.of(who.Identity), 1)) {",
	},
	{
		Name: "orchestrator/refusal/heartbeat-of-another-time", Control: "api.md heartbeat: 409 over 30 s off",
		File: "orchestrator/node_registry.go", Package: "./orchestrator", Tests: "TestHeartbeatsAreNotReplayed",
		Old: "\tif off := h.Timestamp.Sub(now); off > replayWindow || off < -replayWindow {",
		New: "\tif off := h.Timestamp.Sub(now); false && (off > replayWindow || off < -replayWindow) {",
	},
	{
		Name: "orchestrator/refusal/session-of-another-identity", Control: "api.md sessions: by identity",
		File: "orchestrator/session_turns.go", Package: "./orchestrator", Tests: "TestSessionsBelongToTheirIdentity",
		Old: "\tcase s.Owner != who.Identity:",
		New: "\tcase false && (s.Owner != who.Identity):",
	},
	{
		Name: "orchestrator/refusal/session-that-is-not-the-caller-s", Control: "api.md sessions: by identity",
		File: "orchestrator/session_turns.go", Package: "./orchestrator", Tests: "TestSessionsBelongToTheirIdentity",
		Old: "\tif s == nil || !who.may(s.Owner) {",
		New: "\tif false && (s == nil || !who.may(s.Owner)) {",
	},
	{
		Name: "orchestrator/refusal/cursor-that-is-not-known", Control: "api.md list: INVALID_CURSOR",
		File: "orchestrator/task_find.go", Package: "./orchestrator", Tests: "TestTasksThatCannotBeAreRefused",
		Old: "\t\tif at < 0 {",
		New: "\t\tif false && (at < 0) {",
	},
	{
		Name: "orchestrator/refusal/empty-stop-sequence", Control: "api.md TaskRequest",
		File: "orchestrator/task_request.go", Package: "./orchestrator", Tests: "TestTasksThatCannotBeAreRefused",
		Old: `	if slices.Contains(r.Stop, "") {`,
		New: `	if false && (slices.Contains(r.Stop, "")) {`,
	},
	{
		Name: "orchestrator/refusal/pool-name-in-a-placement", Control: "api.md nodes: AMBIGUOUS_POOL",
		File: "orchestrator/node_poolname.go", Package: "./orchestrator", Tests: "TestTasksThatCannotBeAreRefused",
		Old: "\t\tcase !validPoolName(name):",
		New: "\t\tcase false && (!validPoolName(name)):",
	},
	{
		Name: "orchestrator/refusal/task-without-a-model", Control: "api.md TaskRequest",
		File: "orchestrator/task_request.go", Package: "./orchestrator", Tests: "TestTasksThatCannotBeAreRefused",
		Old: `	if r.ModelRef == "" {`,
		New: `	if false && (r.ModelRef == "") {`,
	},
	{
		Name: "orchestrator/refusal/bytes-of-all-tasks", Control: "api.md kept results: STORE_FULL",
		File: "orchestrator/task_create.go", Package: "./orchestrator", Tests: "TestTheBytesOfAllTasksAreBounded",
		Old: "\tif !o.tasks.bytes.Admits(rec.Owner, int64(size)) {",
		New: "\tif false && (!o.tasks.bytes.Admits(rec.Owner, int64(size))) {",
	},
	{
		Name: "orchestrator/refusal/node-id", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_registry.go", Package: "./orchestrator", Tests: "TestWhatCannotBeANodeIsRefused",
		Old: "\tif !nodeID.MatchString(r.NodeID) {",
		New: "\tif false && (!nodeID.MatchString(r.NodeID)) {",
	},
	{
		Name: "orchestrator/refusal/pool-id-of-a-node", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_record.go", Package: "./orchestrator", Tests: "TestWhatCannotBeANodeIsRefused",
		Old: "\t\tcase !nodeapi.ValidPoolID(p.PoolID):",
		New: "\t\tcase false && (!nodeapi.ValidPoolID(p.PoolID)):",
	},
	{
		Name: "orchestrator/refusal/pool-id-twice", Control: "api.md nodes: INVALID_NODE",
		File: "orchestrator/node_record.go", Package: "./orchestrator", Tests: "TestWhatCannotBeANodeIsRefused",
		Old: "\t\tcase seen[p.PoolID]:",
		New: "\t\tcase false && (seen[p.PoolID]):",
	},
	{
		Name: "orchestrator/refusal/replica-id-of-a-worker", Control: "api.md workers: INVALID_WORKER",
		File: "orchestrator/node_workers.go", Package: "./orchestrator", Tests: "TestWorkersRegisterAtAKnownPool",
		Old: "\tif !replicaID.MatchString(id) {",
		New: "\tif false && (!replicaID.MatchString(id)) {",
	},
	{
		Name: "orchestrator/refusal/worker-of-another-identity", Control: "api.md workers: WORKER_OWNED",
		File: "orchestrator/node_workers.go", Package: "./orchestrator", Tests: "TestWorkersRegisterAtAKnownPool",
		Old: "\tif taken && earlier.identity != who.Identity {",
		New: "\tif false && (taken && earlier.identity != who.Identity) {",
	},
	{
		Name: "orchestrator/refusal/pin-without-a-pool", Control: "api.md TaskRequest",
		File: "orchestrator/task_request.go", Package: "./orchestrator", Tests: "TestWrongRequestsAreAnsweredWithTheirPlace",
		Old: `	if p := r.Placement; p != nil && p.Mode == "pin" && p.PinPoolID == "" {`,
		New: `	if p := r.Placement; false && (p != nil && p.Mode == "pin" && p.PinPoolID == "") {`,
	},
	{
		Name: "orchestrator/refusal/task-that-does-not-fit-its-workload", Control: "api.md TaskRequest",
		File: "orchestrator/task_workload.go", Package: "./orchestrator", Tests: "TestWrongRequestsAreAnsweredWithTheirPlace",
		Old: `	if wrong != "" {`,
		New: `	if false && (wrong != "") {`,
	},
}
