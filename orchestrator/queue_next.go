package orchestrator

import (
	"container/heap"
	"time"
)

// next gives the task whose turn it is among those that may start now: not
// paused, not expired, and with needs that are not blocked. It stays in the
// queue until take. It costs what there is to choose from, not what waits.
func (q *queue) next(now time.Time, blocked map[string]bool) (waiting, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := q.paused.due(now); i != nil; i = q.paused.due(now) {
		heap.Pop(&q.paused)
		q.classes[i.class].ready(i)
	}
	order := []Priority{Interactive, Batch}
	if q.streak >= batchShare {
		order = []Priority{Batch, Interactive}
	}
	for _, class := range order {
		if i := q.classes[class].next(now, blocked); i != nil {
			return i.waiting, true
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

// expired gives the ids whose deadline has passed, each once: the caller removes
// them, or restores them to get them again.
func (q *queue) expired(now time.Time) (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := q.deadline.due(now); i != nil; i = q.deadline.due(now) {
		heap.Pop(&q.deadline)
		ids = append(ids, i.id)
	}
	return ids
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
