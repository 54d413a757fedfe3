package orchestrator

// lockOrder is every lock of the package, each with what it guards. A goroutine that
// holds one may take only those that come after it, and never two of one kind; so no
// two goroutines can wait for each other. Builds with the race detector check it at
// each Lock (lock_race.go), and doc.go shows it.
//
// Those from recordCache.changing to taskEntry.changing are held over a write to the
// store, which takes up to persistTimeout; tail.writing over one to the event log. The
// others are held for moments. artifacts.writing is a channel, as its waiters give up
// with their callers; it comes before artifacts.mu, and nothing is taken before it.
var lockOrder = [...]struct {
	id           any
	name, guards string
}{
	{lockPlacing{}, "scheduler.placing", "one look at the queue at a time"},
	{lockRecordChange{}, "recordCache.changing", "one change of a model, or of a session, at a time"},
	{lockTaskChange{}, "taskEntry.changing", "one change of a task's record at a time"},
	{lockTasks{}, "taskTable.mu", "which tasks there are"},
	{lockTask{}, "taskEntry.mu", "one task in memory"},
	{lockTailWrite{}, "tail.writing", "the order of a task's log records"},
	{lockTail{}, "tail.mu", "the newest events of one task"},
	{lockEnded{}, "tails.mu", "the ended tasks whose tails go next"},
	{lockQueue{}, "queue.mu", "the waiting tasks"},
	{lockNodes{}, "nodes.mu", "nodes, their pools and slots"},
	{lockPeers{}, "nodePeers.mu", "which replicas are there"},
	{lockLegacy{}, "legacyNodes.mu", "what is to be written for earlier versions"},
	{lockRecords{}, "recordCache.mu", "the models, or the sessions, in memory"},
	{lockArtifacts{}, "artifacts.mu", "which artifacts there are"},
	{lockWorkers{}, "workers.mu", "registered replicas of pools"},
	{lockKeys{}, "keptKeys.mu", "which idempotency keys there are"},
	{lockShares{}, "Shares.mu", "what each identity holds of a bound"},
	{lockPace{}, "pace.mu", "the speed of the queue"},
	{lockLabels{}, "labelSet.mu", "the values of a metric's label"},
}

// The types tell the locks apart: mutex[lockTask] is the lock of a task.
type (
	lockPlacing      struct{}
	lockRecordChange struct{}
	lockTaskChange   struct{}
	lockTasks        struct{}
	lockTask         struct{}
	lockTailWrite    struct{}
	lockTail         struct{}
	lockEnded        struct{}
	lockQueue        struct{}
	lockNodes        struct{}
	lockPeers        struct{}
	lockLegacy       struct{}
	lockRecords      struct{}
	lockArtifacts    struct{}
	lockWorkers      struct{}
	lockKeys         struct{}
	lockShares       struct{}
	lockPace         struct{}
	lockLabels       struct{}
)
