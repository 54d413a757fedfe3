package orchestrator

import (
	"container/list"
	"time"
)

// fairQueue is one class of the queue: a queue for each identity, and the identities
// take turns. An identity that sends a thousand tasks delays only its own.
type fairQueue struct {
	turns *list.List               // of *ownerQueue; the first one's turn is next
	of    map[string]*list.Element // by identity
	size  int
	keys  map[string]int // tasks that may start, by the key of their needs
}

// ownerQueue is one identity's tasks, first in, first out.
type ownerQueue struct {
	owner  string
	tasks  *list.List            // of *item
	groups map[string]*list.List // of *item that may start, by the key of their needs
	first  int64                 // the order of the next one that comes back
	last   int64                 // the order of the next new one
}

func newFairQueue() *fairQueue {
	return &fairQueue{turns: list.New(), of: make(map[string]*list.Element), keys: make(map[string]int)}
}

// add puts a task at the end of its identity's queue; or, with front, where it
// stood before it was taken.
func (ls *fairQueue) add(i *item, front bool) {
	ls.size++
	i.turn = ls.of[i.owner]
	if i.turn == nil {
		i.turn = ls.turns.PushBack(&ownerQueue{owner: i.owner, tasks: list.New(), groups: make(map[string]*list.List), first: -1})
		ls.of[i.owner] = i.turn
	}
	l := i.turn.Value.(*ownerQueue)
	if front {
		ls.turns.MoveToFront(i.turn)
		i.order, i.place = l.first, l.tasks.PushFront(i)
		l.first--
		return
	}
	i.order, i.place = l.last, l.tasks.PushBack(i)
	l.last++
}

// ready lets a task start. One that was paused is put behind older tasks.
func (ls *fairQueue) ready(i *item) {
	l := i.turn.Value.(*ownerQueue)
	group := l.groups[i.key]
	if group == nil {
		group = list.New()
		l.groups[i.key] = group
	}
	ls.keys[i.key]++
	before := group.Back()
	for before != nil && before.Value.(*item).order > i.order {
		before = before.Prev()
	}
	if before == nil {
		i.inGroup = group.PushFront(i)
		return
	}
	i.inGroup = group.InsertAfter(i, before)
}

// unready takes a task out of its group.
func (ls *fairQueue) unready(i *item) {
	if i.inGroup == nil {
		return
	}
	l := i.turn.Value.(*ownerQueue)
	group := l.groups[i.key]
	group.Remove(i.inGroup)
	i.inGroup = nil
	if group.Len() == 0 {
		delete(l.groups, i.key)
	}
	if ls.keys[i.key]--; ls.keys[i.key] == 0 {
		delete(ls.keys, i.key)
	}
}

// remove takes a task out; an empty ownerQueue goes.
func (ls *fairQueue) remove(i *item) {
	ls.size--
	ls.unready(i)
	l := i.turn.Value.(*ownerQueue)
	l.tasks.Remove(i.place)
	if l.tasks.Len() == 0 {
		ls.turns.Remove(i.turn)
		delete(ls.of, l.owner)
	}
}

// served ends the turn of an identity.
func (ls *fairQueue) served(owner string) {
	if el := ls.of[owner]; el != nil {
		ls.turns.MoveToBack(el)
	}
}

// next gives the first task that may start, of the first identity that has one.
func (ls *fairQueue) next(now time.Time, blocked map[string]bool) *item {
	if !ls.any(blocked) {
		return nil
	}
	for turn := ls.turns.Front(); turn != nil; turn = turn.Next() {
		if i := turn.Value.(*ownerQueue).next(ls, now, blocked); i != nil {
			return i
		}
	}
	return nil
}

// any reports whether a task may start that is not blocked.
func (ls *fairQueue) any(blocked map[string]bool) bool {
	for key := range ls.keys {
		if !blocked[key] {
			return true
		}
	}
	return false
}

// next gives the oldest of the groups that are not blocked. What has expired
// leaves its group: it does not start any more.
func (l *ownerQueue) next(ls *fairQueue, now time.Time, blocked map[string]bool) (eldest *item) {
	for key, group := range l.groups {
		if blocked[key] {
			continue
		}
		for el := group.Front(); el != nil; el = group.Front() {
			i := el.Value.(*item)
			if i.deadline.IsZero() || now.Before(i.deadline) {
				if eldest == nil || i.order < eldest.order {
					eldest = i
				}
				break
			}
			ls.unready(i)
		}
	}
	return eldest
}

// position is how many tasks start before this one: older ones in its own queue, as
// many of each other identity, and one more of those whose turn comes first.
func (ls *fairQueue) position(i *item) int {
	elders := 0
	if tasks := i.turn.Value.(*ownerQueue).tasks; i.place == tasks.Back() { // a new one: no walk
		elders = tasks.Len() - 1
	} else {
		for el := i.place.Prev(); el != nil; el = el.Prev() {
			elders++
		}
	}
	before, rounds := elders, elders+1
	for turn := ls.turns.Front(); turn != nil; turn = turn.Next() {
		if turn == i.turn {
			rounds = elders
			continue
		}
		before += min(turn.Value.(*ownerQueue).tasks.Len(), rounds)
	}
	return before
}
