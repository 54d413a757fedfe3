// Package orchestrator takes tasks, keeps them, finds each one a pool, runs it
// there and tells its callers what happened.
//
// A task goes queue → placement → dispatch → events. It is acknowledged when
// its record has been fsynced, and from then on it is never lost: the queue is
// memory, rebuilt from the records. Every step of a task is a compare-and-set
// on its record; what the record says is what happened.
//
// Orchestrators that share a store are one to their callers. Each has all of it in
// memory, through watches, and takes tasks, cancels them and shows their events. What
// nodes report is not stored: replicas tell each other, without a quorum.
// One of them at a time, the leader, places and dispatches. When it is lost, the
// next one runs its tasks again, or ends those of which a token may have been seen.
// Because each step is a compare-and-set, a scheduler that has lost the leadership
// and does not know it yet does no harm. A single server always leads.
//
// The package is not the HTTP contract (httpapi), not the storage (store), and
// does not start engines (poolmanager does). It decides nothing about who a
// caller is: it is told an identity, and keeps identities apart. The example shows a
// task from its submission to its end.
//
// # What a caller may do
//
// Every call names its caller ([Who]); what belongs to another identity is not found.
// An [Error] is an answer for the caller, see [AsError]; any other is for the log.
//
//   - Native calls: [Orchestrator.SubmitCall] takes an engine's own request as a task;
//     its events are the engine's bytes ([EventType.Raw]).
//   - Tasks: [Orchestrator.Submit], [Orchestrator.Erase], [Orchestrator.Task], [Orchestrator.Tasks],
//     [Orchestrator.Cancel]; the contract is [TaskRequest], [Task], [Admission].
//   - Events: [Orchestrator.Follow] gives a [Reader]; [EventTypes] lists what it reads.
//   - Sessions: [Orchestrator.Session], [Orchestrator.RemoveSession].
//   - Artifacts: [Orchestrator.KeepArtifact], [Orchestrator.Artifact].
//   - Models: [Orchestrator.AddModel], [Orchestrator.Catalog], [Orchestrator.VerifyModel],
//     [Orchestrator.SetModelState], [Orchestrator.Availability], [Orchestrator.Models].
//   - Nodes: [Orchestrator.RegisterNode], [Orchestrator.Heartbeat],
//     [Orchestrator.RemoveNode], [Orchestrator.Nodes].
//   - Pools: [Orchestrator.PoolHealth], [Orchestrator.Command], [Orchestrator.Abilities],
//     [Orchestrator.RegisterWorker].
//   - Start and stop: [New], [Config], [Settings], [Orchestrator.NotReady],
//     [Orchestrator.Stop].
//
// # How a task ends
//
// A task is queued until the leader places it, and running while a dispatch of it is
// under way ([State]). A dispatch that fails before its first token is retried on
// another pool, up to five times; a busy pool costs no attempt. After the first token
// a task never runs again: what a reader has seen must not be contradicted. So before
// the first token is shown, the record says that it may have been, and a crash then
// ends the task with WORKER_RESET.
//
// The end is written to the record first and shown as an event after that. Events are
// a copy: a reader takes them from the tail of a task, which holds the newest ones in
// memory, or from the event log, and learns from the record how the task has ended.
//
// # Files
//
// A file's first word says which idea it belongs to.
//
//	task_         a task's request, record and entry in memory; taking one in, finding,
//	              changing and forgetting it
//	call_         native calls: what is read of them, and where their bodies are
//	seal_         content is encrypted, each task's with a key of its own; erasing it
//	queue_        who waits, in which order, and how many may
//	schedule_     the leadership, the loop that places tasks, orphaned tasks
//	place_        which pool a task goes to, and why none takes it now
//	attempt_      one dispatch of one task: run, persist, finish, trace
//	tail_         the newest events of a task, and how readers follow them
//	watch_        memory follows the store
//	node_         nodes, their pools, slots, breakers and commands
//	session_      conversations, and where their KV caches are
//	catalog_      models that operators know, and their verification
//	artifact_     what callers keep
//	idempotency_  keys under which a request is one task
//	lifecycle_    from start to stop
//	settings      what an operator chooses, with defaults and bounds
//	lock_         the order of the locks
//
// # Locks
//
// A goroutine that holds a lock takes only those below it, and never two of one
// kind. Builds with the race detector check that at each Lock.
//
//	scheduler.placing     one look at the queue at a time
//	recordCache.changing  one change of a model, or of a session, at a time; held over a write
//	taskEntry.changing    one change of a task's record at a time; held over a write
//	taskTable.mu          which tasks there are
//	taskEntry.mu          one task in memory
//	tail.writing          the order of a task's log records; held over a write
//	tail.mu               the newest events of one task
//	tails.mu              the ended tasks whose tails go next
//	queue.mu              the waiting tasks
//	nodes.mu              nodes, their pools and slots
//	nodePeers.mu          which replicas are there
//	legacyNodes.mu        what is to be written for earlier versions
//	recordCache.mu        the models, or the sessions, in memory
//	artifacts.mu          which artifacts there are
//	workers.mu            registered replicas of pools
//	keptKeys.mu           which idempotency keys there are
//	Shares.mu             what each identity holds of a bound
//	pace.mu               the speed of the queue
//	labelSet.mu           the values of a metric's label
package orchestrator
