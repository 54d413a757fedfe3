package orchestrator

import "container/list"

// lines is one class of the queue: a line for each identity, and the identities
// take turns. Whoever sends a thousand tasks delays only their own.
type lines struct {
	turns *list.List               // of *line; the first one's turn is next
	of    map[string]*list.Element // by identity
	size  int
}

// line is one identity's tasks, first in, first out.
type line struct {
	owner string
	tasks *list.List // of waiting
}

// spot is where a task stands.
type spot struct {
	in *list.Element // the line's
	at *list.Element // the task's
}

func newLines() *lines {
	return &lines{turns: list.New(), of: make(map[string]*list.Element)}
}

// add puts a task at the end of its identity's line; or, with front, where it
// stood before it was taken.
func (ls *lines) add(w waiting, front bool) spot {
	ls.size++
	el := ls.of[w.owner]
	if el == nil {
		el = ls.turns.PushBack(&line{w.owner, list.New()})
		ls.of[w.owner] = el
	}
	tasks := el.Value.(*line).tasks
	if front {
		ls.turns.MoveToFront(el)
		return spot{el, tasks.PushFront(w)}
	}
	return spot{el, tasks.PushBack(w)}
}

// remove takes a task out; a line that is empty is gone.
func (ls *lines) remove(s spot) waiting {
	ls.size--
	l := s.in.Value.(*line)
	w := l.tasks.Remove(s.at).(waiting)
	if l.tasks.Len() == 0 {
		ls.turns.Remove(s.in)
		delete(ls.of, l.owner)
	}
	return w
}

// served ends the turn of a line.
func (ls *lines) served(owner string) {
	if el := ls.of[owner]; el != nil {
		ls.turns.MoveToBack(el)
	}
}

// next gives the first task that may start, of the first line that has one.
func (ls *lines) next(may func(waiting) bool) (waiting, bool) {
	for turn := ls.turns.Front(); turn != nil; turn = turn.Next() {
		for el := turn.Value.(*line).tasks.Front(); el != nil; el = el.Next() {
			if w := el.Value.(waiting); may(w) {
				return w, true
			}
		}
	}
	return waiting{}, false
}

// position is how many tasks start before this one: its elders in its own line,
// as many of each other line, and one more of the lines whose turn comes first.
func (ls *lines) position(s spot) int {
	elders := 0
	if tasks := s.in.Value.(*line).tasks; s.at == tasks.Back() { // a new one: no walk
		elders = tasks.Len() - 1
	} else {
		for el := s.at.Prev(); el != nil; el = el.Prev() {
			elders++
		}
	}
	before, rounds := elders, elders+1
	for turn := ls.turns.Front(); turn != nil; turn = turn.Next() {
		if turn == s.in {
			rounds = elders
			continue
		}
		before += min(turn.Value.(*line).tasks.Len(), rounds)
	}
	return before
}
