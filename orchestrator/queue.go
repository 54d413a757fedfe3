package orchestrator

import (
	"sync"
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
	deadline  time.Time
	needs     Needs
	session   string    // "" when it does not want its session's KV cache
	notBefore time.Time // after a failed attempt
	failures  int       // dispatches that failed before the first token
}

// queue is two classes of lines, bounded together. Room is reserved before a
// task is written to disk and used after, so an acknowledged task always has its
// place.
type queue struct {
	mu       sync.Mutex
	capacity int
	reserved int
	classes  map[Priority]*lines
	index    map[string]queued
	streak   int // interactive starts since the last batch start
}

// queued is where to find a task.
type queued struct {
	class Priority
	spot
}

func newQueue(capacity int) *queue {
	return &queue{
		capacity: capacity,
		classes:  map[Priority]*lines{Interactive: newLines(), Batch: newLines()},
		index:    make(map[string]queued),
	}
}

// reserve takes room for one task, if there is any.
func (q *queue) reserve() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.index)+q.reserved >= q.capacity {
		return false
	}
	q.reserved++
	return true
}

// release gives reserved room back.
func (q *queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
}

// push uses reserved room and returns the position in the class.
func (q *queue) push(w waiting) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	q.addLocked(w, false)
	return q.classes[w.class].position(q.index[w.id].spot)
}

// restore puts a task in that has been acknowledged before, whatever the
// capacity: at the back after a restart, at the front after a failed attempt.
func (q *queue) restore(w waiting, front bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.addLocked(w, front)
}

func (q *queue) addLocked(w waiting, front bool) {
	q.index[w.id] = queued{w.class, q.classes[w.class].add(w, front)}
}

// next gives the task whose turn it is among those that may start. It stays in
// the queue until take.
func (q *queue) next(may func(waiting) bool) (waiting, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	order := []Priority{Interactive, Batch}
	if q.streak >= batchShare {
		order = []Priority{Batch, Interactive}
	}
	for _, class := range order {
		if w, ok := q.classes[class].next(may); ok {
			return w, true
		}
	}
	return waiting{}, false
}

// take removes a task that starts now; false if it is no longer there.
func (q *queue) take(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w, ok := q.removeLocked(id)
	if !ok {
		return false
	}
	q.classes[w.class].served(w.owner)
	if w.class == Batch || q.classes[Batch].size == 0 {
		q.streak = 0
	} else {
		q.streak++
	}
	return true
}

// remove takes a task out that will not start; false if it is not there.
func (q *queue) remove(id string) (waiting, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.removeLocked(id)
}

func (q *queue) removeLocked(id string) (waiting, bool) {
	at, ok := q.index[id]
	if !ok {
		return waiting{}, false
	}
	delete(q.index, id)
	return q.classes[at.class].remove(at.spot), true
}

// position is how many tasks of its class start before it, as things are now;
// false if not queued.
func (q *queue) position(id string) (int, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, ok := q.index[id]
	if !ok {
		return 0, false
	}
	return q.classes[at.class].position(at.spot), true
}

// expired gives the ids whose deadline has passed.
func (q *queue) expired(now time.Time) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []string
	for id, q := range q.index {
		if !q.at.Value.(waiting).deadline.After(now) {
			ids = append(ids, id)
		}
	}
	return ids
}

// depth is the number of queued tasks of a class.
func (q *queue) depth(class Priority) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.classes[class].size
}

// starts gives how many tasks of both classes start before one at this position
// of its class: batch has every fourth start while both wait.
func (q *queue) starts(class Priority, position int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if class == Batch {
		return position + min(q.classes[Interactive].size, batchShare*(position+1))
	}
	return position + min(q.classes[Batch].size, (position+q.streak)/batchShare)
}
