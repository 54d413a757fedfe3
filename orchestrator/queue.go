package orchestrator

import (
	"container/list"
	"sync"
	"time"
)

// batchShare is how many interactive tasks may start in a row while a batch
// task waits: batch gets at least every fourth start.
const batchShare = 3

// waiting is a queued task, small: the request stays in the store.
type waiting struct {
	id        string
	class     Priority
	deadline  time.Time
	needs     Needs
	session   string    // "" when it does not want its session's KV cache
	notBefore time.Time // after a failed attempt
	failures  int       // dispatches that failed before the first token
}

// queue is two bounded FIFO lists. Room is reserved before a task is written to
// disk and used after, so an acknowledged task always has its place.
type queue struct {
	mu       sync.Mutex
	capacity int
	reserved int
	lists    map[Priority]*list.List
	index    map[string]*list.Element
	streak   int // interactive starts since the last batch start
}

func newQueue(capacity int) *queue {
	return &queue{
		capacity: capacity,
		lists:    map[Priority]*list.List{Interactive: list.New(), Batch: list.New()},
		index:    make(map[string]*list.Element),
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
	l := q.lists[w.class]
	q.index[w.id] = l.PushBack(w)
	return l.Len() - 1
}

// restore puts a task in that has been acknowledged before, whatever the
// capacity: at the back after a restart, at the front after a failed attempt.
func (q *queue) restore(w waiting, front bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lists[w.class]
	if front {
		q.index[w.id] = l.PushFront(w)
		return
	}
	q.index[w.id] = l.PushBack(w)
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
		for el := q.lists[class].Front(); el != nil; el = el.Next() {
			if w := el.Value.(waiting); may(w) {
				return w, true
			}
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
	if w.class == Batch || q.lists[Batch].Len() == 0 {
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
	el, ok := q.index[id]
	if !ok {
		return waiting{}, false
	}
	delete(q.index, id)
	w := el.Value.(waiting)
	return q.lists[w.class].Remove(el).(waiting), true
}

// position is how many tasks of its class are before it; false if not queued.
func (q *queue) position(id string) (int, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	el, ok := q.index[id]
	if !ok {
		return 0, false
	}
	n := 0
	for el = el.Prev(); el != nil; el = el.Prev() {
		n++
	}
	return n, true
}

// expired gives the ids whose deadline has passed.
func (q *queue) expired(now time.Time) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []string
	for id, el := range q.index {
		if !el.Value.(waiting).deadline.After(now) {
			ids = append(ids, id)
		}
	}
	return ids
}

// depth is the number of queued tasks of a class.
func (q *queue) depth(class Priority) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lists[class].Len()
}
