package orchestrator

import (
	"sync"
)

// taskTable is every task that this replica has in memory.
type taskTable struct {
	mu      mutex[lockTasks]
	byID    map[string]*taskEntry
	running sync.Map     // of *taskEntry by id: what is running, anywhere
	loading []*taskEntry // waiting tasks of the first listing; nil after it
	bytes   *Shares      // of the records, by identity
}

func newTaskTable() *taskTable {
	return &taskTable{byID: make(map[string]*taskEntry), loading: []*taskEntry{}, bytes: NewShares(maxTaskBytes)}
}

// get gives the entry of a task in memory, also while its record is being written;
// nil when there is none.
func (t *taskTable) get(id string) *taskEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// add puts an entry in, unless its id has one: then it gives that one, and false.
func (t *taskTable) add(e *taskEntry) (_ *taskEntry, added bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.byID[e.id]; other != nil {
		return other, false
	}
	t.byID[e.id] = e
	return e, true
}

// ids lists what memory has.
func (t *taskTable) ids() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make([]string, 0, len(t.byID))
	for id := range t.byID {
		ids = append(ids, id)
	}
	return ids
}

// visible lists the stored tasks that the caller may see, in a state or in any.
func (t *taskTable) visible(who Who, state State) []Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := []Task{}
	for _, e := range t.byID {
		if !who.may(e.owner) || !e.stored() {
			continue
		}
		if task := e.view(); state == "" || task.State == state {
			all = append(all, task)
		}
	}
	return all
}
