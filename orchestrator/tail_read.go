package orchestrator

import (
	"time"
)

// since gives the events from id next on. ok is false when some of them have to
// be read from the log. When there is none yet, changed closes with the next.
func (t *tail) since(next uint64) (events []Event, changed <-chan struct{}, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.last + 1 - uint64(len(t.events))
	switch {
	case next <= t.last && next < first:
		return nil, nil, false
	case next <= t.last:
		events = append(events, t.events[next-first:]...)
		if t.final != nil && t.whole <= t.last {
			events = append(events, *t.final)
		}
		return events, nil, true
	case t.final != nil && next <= t.whole: // the log may have what did not come here
		return nil, nil, false
	case t.final != nil:
		return []Event{*t.final}, nil, true
	case t.write != nil && next > t.last+1:
		// An id from before a power cut that took the log's last moments.
		return []Event{{ID: t.last, Type: EventGap, Data: gapEvent(t.last+1, next-1).Data}}, nil, true
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return nil, t.changed, true
}

// from gives the id of the first event from next on that need not be read from
// the log.
func (t *tail) from(next uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.last + 1 - uint64(len(t.events)); len(t.events) > 0 && next < first {
		return first
	}
	if t.final != nil {
		return t.whole + 1
	}
	return t.last + 1
}

// enter and leave count the readers; a tail with readers is kept.
func (t *tail) enter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers++
}

func (t *tail) leave(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers--
	t.used = now
}

// idle reports whether no reader has read for that long.
func (t *tail) idle(now time.Time, d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.readers == 0 && now.Sub(t.used) >= d
}

// hasEnded reports whether the end is known, so that nothing changes any more.
func (t *tail) hasEnded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.final != nil
}
