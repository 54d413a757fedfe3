package orchestrator

import (
	"container/heap"
	"time"
)

// batchShare is how many interactive tasks may start in a row while a batch
// task waits: batch gets at least every fourth start.
const batchShare = 3

// waiting is a queued task, small: the request stays in the store.
type waiting struct {
	id        string
	owner     string
	class     Priority
	deadline  time.Time     // of the first token; zero: none
	patience  time.Time     // when a call whose worker was lost has waited long enough for another; zero: none
	limit     time.Duration // of the stream; 0: none
	needs     Needs
	key       string    // of needs: tasks with the same one find the same places
	session   string    // "" when it does not want its session's KV cache
	expected  int       // tokens of its answer; 0: not known
	notBefore time.Time // after a failed attempt
	failures  int       // dispatches that failed before the first token
	spent     int       // of failures, those of models whose attempts are used up
	said      string    // what the latest busy pool said
	saidBy    string    // and which engine
	broke     string    // what the latest pool said that failed; "" when one was busy after that
}

// failuresOfModel is how often the model failed the task that is tried now.
func (w waiting) failuresOfModel() int { return w.failures - w.spent }

// ends is when it stops waiting; zero: never.
func (w waiting) ends() time.Time {
	if w.deadline.IsZero() || !w.patience.IsZero() && w.patience.Before(w.deadline) {
		return w.patience
	}
	return w.deadline
}

// abandoned reports whether it is a call whose worker was lost, and not its deadline
// that ends its wait.
func (w waiting) abandoned(now time.Time) bool {
	return !w.patience.IsZero() && (w.deadline.IsZero() || now.Before(w.deadline))
}

// queue is two fair queues, one for each class, bounded together. Capacity is reserved
// before a task is written to disk and used after, so an acknowledged task always has
// its place.
type queue struct {
	mu       mutex[lockQueue]
	capacity int
	reserved map[string]int // by identity
	pending  int            // the sum of reserved
	classes  map[Priority]*fairQueue
	index    map[string]*item
	owners   map[string]int       // waiting tasks of each identity, of both classes
	asked    map[string]time.Time // when each identity last sent a task
	deadline deadlineHeap         // the nearest deadline first
	paused   deadlineHeap         // tasks that may not start yet, the nearest first
	streak   int                  // interactive starts since the last batch start
}

func newQueue(capacity int) *queue {
	return &queue{
		capacity: capacity,
		reserved: make(map[string]int),
		classes:  map[Priority]*fairQueue{Interactive: newFairQueue(), Batch: newFairQueue()},
		index:    make(map[string]*item),
		owners:   make(map[string]int),
		asked:    make(map[string]time.Time),
		deadline: deadlineHeap{at: func(i *item) time.Time { return i.ends() }, place: func(i *item) *int { return &i.byDeadline }},
		paused:   deadlineHeap{at: func(i *item) time.Time { return i.notBefore }, place: func(i *item) *int { return &i.byPause }},
	}
}

// push uses reserved capacity and returns the position in the class. A task that is
// there already, because its record was seen first, stays where it is.
func (q *queue) push(w waiting) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.releaseLocked(w.owner)
	i := q.index[w.id]
	if i == nil {
		i = q.addLocked(w, false)
	}
	return q.classes[w.class].position(i)
}

// restore puts a task in that has been acknowledged before, whatever the
// capacity: at the back after a restart, at the front after a failed attempt.
func (q *queue) restore(w waiting, front bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.index[w.id] == nil {
		q.addLocked(w, front)
	}
}

func (q *queue) addLocked(w waiting, front bool) *item {
	i := &item{waiting: w, byDeadline: -1, byPause: -1}
	q.classes[w.class].add(i, front)
	q.index[w.id] = i
	q.owners[w.owner]++
	if !w.ends().IsZero() {
		heap.Push(&q.deadline, i)
	}
	if w.notBefore.IsZero() {
		q.classes[w.class].ready(i)
	} else {
		heap.Push(&q.paused, i)
	}
	return i
}

// remove takes a task out that will not start here; false if it is not there.
func (q *queue) remove(id string) (waiting, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.removeLocked(id)
}

func (q *queue) removeLocked(id string) (waiting, bool) {
	i := q.index[id]
	if i == nil {
		return waiting{}, false
	}
	delete(q.index, id)
	if q.owners[i.owner]--; q.owners[i.owner] <= 0 {
		delete(q.owners, i.owner)
	}
	if i.byDeadline >= 0 {
		heap.Remove(&q.deadline, i.byDeadline)
	}
	if i.byPause >= 0 {
		heap.Remove(&q.paused, i.byPause)
	}
	q.classes[i.class].remove(i)
	return i.waiting, true
}

// position is how many tasks of its class start before it, as things are now;
// false if not queued.
func (q *queue) position(id string) (int, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.index[id]
	if i == nil {
		return 0, false
	}
	return q.classes[i.class].position(i), true
}

// depth is the number of queued tasks of a class.
func (q *queue) depth(class Priority) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.classes[class].size
}

// size is how many tasks wait.
func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.index)
}
