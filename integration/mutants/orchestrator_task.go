package main

// Whose a task is, when it changes, and what its end gives back; the catalog.

var orchestratorTasks = []Mutant{
	{
		Name: "orchestrator/task/changed-by-its-runner", Control: "a record is changed by its runner alone",
		File: "orchestrator/task_entry.go", Package: "./orchestrator", Tests: "TestADispatchChangesNoOtherReplicasRecord",
		Old: `	if !still(task) {
		return task, errTaken
	}
	f(&task)`,
		New: `	if false && (!still(task)) {
		return task, errTaken
	}
	f(&task)`,
	},
	{
		Name: "orchestrator/task/without-the-lease", Control: "a replica without the lease shows nothing",
		File: "orchestrator/attempt_first.go", Package: "./orchestrator", Tests: "TestAReplicaWithoutTheLeaseShowsNoTokens",
		Old: `	if err := a.o.scheduler.awaitShow(ctx); err != nil || a.first {
		return err`,
		New: `	if err := a.o.scheduler.awaitShow(ctx); err != nil || a.first {
		if true {
			err = nil
		}
		return err`,
	},
	{
		Name: "orchestrator/task/slot-after-a-dispatch", Control: "the slot of a dispatch is released",
		File: "orchestrator/attempt_run.go", Package: "./orchestrator", Tests: "TestASlotIsFreeAfterEachEnd",
		Old: `		a.l.release(err)
	default:`,
		New: `		if false {
			a.l.release(err)
		}
	default:`,
	},
	{
		Name: "orchestrator/task/slot-of-one-that-did-not-begin", Control: "the slot of a dispatch that did not begin is released",
		File: "orchestrator/attempt_run.go", Package: "./orchestrator", Tests: "TestATaskWithoutItsKeyFails",
		Old: `		a.l.release(errNotTheNode)
		a.finish(`,
		New: `		if false {
			a.l.release(errNotTheNode)
		}
		a.finish(`,
	},
	{
		Name: "orchestrator/owner/key", Control: "api.md: an idempotency key belongs to an identity",
		File: "orchestrator/idempotency_key.go", Package: "./orchestrator", Tests: "TestAnIdempotencyKeyGivesOneTask",
		Old: `	sum := sha256.Sum256([]byte(identity + "\x00" + key))`,
		New: `	if true {
		identity = ""
	}
	sum := sha256.Sum256([]byte(identity + "\x00" + key))`,
	},
	{
		Name: "orchestrator/task/cancel-of-one-that-runs", Control: "api.md cancel: frees the slot",
		File: "orchestrator/task_cancel.go", Package: "./orchestrator", Tests: "TestCancelEndsATaskThatHasRunForLong",
		Old: "\t\to.interfere(e) // hangs up",
		New: `		if false {
			o.interfere(e)
		} // hangs up`,
	},
	{
		Name: "orchestrator/task/slot-after-a-cancel", Control: "the slot of a canceled dispatch is released",
		File: "orchestrator/attempt_run.go", Package: "./orchestrator", Tests: "TestCancelHangsUpAndFreesTheSlot",
		Old: `	default:
		a.l.release(errNotTheNode)`,
		New: `	default:
		if false {
			a.l.release(errNotTheNode)
		}`,
	},
	{
		Name: "orchestrator/catalog/host", Control: "api.md catalog: model_hosts",
		File: "orchestrator/catalog_source.go", Package: "./orchestrator", Tests: "TestModelsAreReadOnlyFromNamedHosts",
		Old: "\tcase !m.hosts.Allow(parsed.URL):",
		New: "\tcase false && (!m.hosts.Allow(parsed.URL)):",
	},
	{
		Name: "orchestrator/owner/list-of-tasks", Control: "api.md tasks: the caller's tasks",
		File: "orchestrator/task_table.go", Package: "./orchestrator", Tests: "TestTasksBelongToTheirIdentity",
		Old: "\t\tif !who.may(e.owner) || !e.stored() {",
		New: "\t\tif false && (!who.may(e.owner)) || !e.stored() {",
	},
	{
		Name: "orchestrator/owner/task", Control: "api.md queue: only the identity that made a task may see it",
		File: "orchestrator/task_find.go", Package: "./orchestrator", Tests: "TestTasksBelongToTheirIdentity",
		Old: "\tif e == nil || !who.may(e.owner) {",
		New: "\tif e == nil || false && (!who.may(e.owner)) {",
	},
	{
		Name: "orchestrator/catalog/alias-of-another", Control: "an alias is one model's alone (MODEL_EXISTS)",
		File: "orchestrator/catalog_change.go", Package: "./orchestrator", Tests: "TestTheCatalogsBoundsAreKept",
		Old: "\t\tif found || next.revision > 0 || c.named(r) {",
		New: "\t\tif false && (found || next.revision > 0 || c.named(r)) {",
	},
	{
		Name: "orchestrator/log/words-of-a-node", Control: "attempt errors: no words of a node in the log (forLog)",
		File: "orchestrator/attempt_log.go", Package: "./orchestrator", Tests: "TestTheLogOfAFailedTaskHasNoWordsOfTheEngine",
		Old: `	if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		return strings`,
		New: `	if true {
		return err.Error()
	}
	if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		return strings`,
	},
	{
		Name: "orchestrator/log/words-of-an-engine", Control: "an engine's words are not logged at the end of a task",
		File: "orchestrator/task_end.go", Package: "./orchestrator", Tests: "TestTheLogOfAFailedTaskHasNoWordsOfTheEngine",
		Old: `		fields = append(fields, "code", t.Error.Code, "message", t.failure)`,
		New: `		if true {
			t.failure = t.Error.Message
		}
		fields = append(fields, "code", t.Error.Code, "message", t.failure)`,
	},
	{
		Name: "orchestrator/catalog/digest", Control: "api.md verify: the record says verified or why not",
		File: "orchestrator/catalog_verify.go", Package: "./orchestrator", Tests: "TestVerifyReadsTheBytesAndTellsTheTruth",
		Old: "\tcase digest != m.Digest:",
		New: "\tcase false && (digest != m.Digest):",
	},
	{
		Name: "orchestrator/catalog/irregular-file", Control: "a FIFO is no model",
		File: "orchestrator/catalog_source.go", Package: "./orchestrator", Tests: "TestVerifyReadsTheBytesAndTellsTheTruth",
		Old: "\tif info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {",
		New: "\tif info, err := f.Stat(); false && (err != nil || !info.Mode().IsRegular()) {",
	},
	{
		Name: "orchestrator/catalog/trust-policy", Control: "api.md catalog: what cannot be checked is not verified",
		File: "orchestrator/catalog_verify.go", Package: "./orchestrator", Tests: "TestVerifyReadsTheBytesAndTellsTheTruth",
		Old: `	case m.TrustPolicy != "" && m.TrustPolicy != "digest":`,
		New: `	case false && (m.TrustPolicy != "" && m.TrustPolicy != "digest"):`,
	},
}
