package orchestrator

import (
	"container/list"
	"time"
)

// item is a queued task and where it stands: in its identity's queue, in that queue's
// group of the same needs, and in the two heaps.
type item struct {
	waiting
	order      int64         // in its ownerQueue; a task that comes back is before all others
	turn       *list.Element // of its ownerQueue in the fairQueue
	place      *list.Element // in its ownerQueue
	inGroup    *list.Element // nil while it may not start
	byDeadline int           // index in the heap; -1: in none
	byPause    int
}

// deadlineHeap is a heap of items by one of their times; container/heap moves them.
type deadlineHeap struct {
	items []*item
	at    func(*item) time.Time
	place func(*item) *int
}

// due gives the first item whose time has come; nil if none has.
func (t *deadlineHeap) due(now time.Time) *item {
	if len(t.items) == 0 || t.at(t.items[0]).After(now) {
		return nil
	}
	return t.items[0]
}

// Len is for container/heap.
func (t *deadlineHeap) Len() int { return len(t.items) }

// Less is for container/heap.
func (t *deadlineHeap) Less(i, j int) bool { return t.at(t.items[i]).Before(t.at(t.items[j])) }

// Swap is for container/heap.
func (t *deadlineHeap) Swap(i, j int) {
	t.items[i], t.items[j] = t.items[j], t.items[i]
	*t.place(t.items[i]), *t.place(t.items[j]) = i, j
}

// Push is for container/heap.
func (t *deadlineHeap) Push(x any) {
	i := x.(*item)
	*t.place(i) = len(t.items)
	t.items = append(t.items, i)
}

// Pop is for container/heap.
func (t *deadlineHeap) Pop() any {
	last := len(t.items) - 1
	i := t.items[last]
	t.items[last] = nil
	t.items = t.items[:last]
	*t.place(i) = -1
	return i
}
