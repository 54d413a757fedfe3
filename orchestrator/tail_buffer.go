package orchestrator

import (
	"time"
)

const (
	// tailEvents and tailBytes bound what a running task keeps in memory for
	// its live readers; older events are read from the log.
	tailEvents = 1024
	tailBytes  = 256 << 10
	// coalesce is how long tokens are collected before they go to the log, and
	// maxCoalesce how long when coalesceTasks tasks run or more: a record with ten
	// tokens costs the log no more than one with a single token. Readers of this
	// replica do not wait: they read the tail. A single server has no
	// other reader of the log: it may take up to loneCoalesce.
	coalesce      = 5 * time.Millisecond
	maxCoalesce   = 40 * time.Millisecond
	loneCoalesce  = 500 * time.Millisecond
	coalesceTasks = 64
	// chunkEvents and chunkBytes close a log record early. maxPendingEvents and
	// maxPendingBytes are when the task has to wait for the log: half the tail. What
	// the log does not have yet stays in the tail (see trim): with one record being
	// written and one being filled that is the tail and two events more. At 50 tokens a
	// second that is ten seconds, longer than an election of the log's leader.
	chunkEvents      = tailEvents / 4
	chunkBytes       = tailBytes / 4
	maxPendingEvents = tailEvents / 2
	maxPendingBytes  = tailBytes / 2
)

// tail is the newest events of one task, shared by all its readers on this
// replica: a reader costs a cursor, not a consumer. While the task runs here the
// tail is the only writer of the task's log (own); while it runs elsewhere, the
// tail repeats what comes from there (feed).
type tail struct {
	mu      mutex[lockTail]
	write   func(record []byte) // to the log, in bounded time; nil: another replica writes it
	pause   time.Duration       // how long tokens are collected before a write
	events  []Event             // ids are consecutive
	bytes   int
	last    uint64 // id of the newest event, also when events is empty
	logged  uint64 // id of the newest event that the log was given, or has from before
	sealed  bool
	abandon func()        // cancels the write under way; nil: this replica does not write
	final   *Event        // how it ended; nothing comes after it
	whole   uint64        // the newest id before final
	changed chan struct{} // closed and replaced by the next event; nil: no reader waits

	pending      []Event
	pendingBytes int
	armed        bool // the timer runs
	hurried      bool // the write follows at once
	timer        *time.Timer

	readers  int           // that are in Next now
	used     time.Time     // when the last one was
	news     time.Time     // when something was fed last, or the log was read
	patience time.Duration // how long without news before the log is read

	writing mutex[lockTailWrite] // keeps log records in order
}

func newTail(last uint64, write func([]byte)) *tail {
	return &tail{last: last, write: write, pause: coalesce}
}

// own makes this tail the writer of the log; last is the newest id that the caller
// knows of. It gives the newest that the tail knows of. abandon makes a write that is
// under way return.
func (t *tail) own(last uint64, pause time.Duration, write func([]byte), abandon func()) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write, t.pause, t.sealed, t.abandon = write, pause, false, abandon
	t.skipTo(last)
	t.logged = t.last
	return t.last
}

// disown ends the ownership. Pending events are written, unless another replica owns the log
// already.
func (t *tail) disown(lost bool) {
	if !lost {
		t.flush()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.abandon != nil {
		t.abandon()
	}
	t.write, t.sealed, t.abandon = nil, false, nil
	t.pending, t.pendingBytes = nil, 0
}

// owned reports whether this tail writes the log.
func (t *tail) owned() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.write != nil
}

// skipTo skips events that are in the log only. mu is held.
func (t *tail) skipTo(last uint64) {
	if last > t.last {
		t.events, t.bytes, t.last = nil, 0, last
	}
}

// extendTo notes that events up to this id exist, and wakes readers.
func (t *tail) extendTo(last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.write == nil && last > t.last {
		t.skipTo(last)
		t.wake()
	}
}

// feed takes over events of another replica. Repeats are ignored; readers find
// skipped events in the log.
func (t *tail) feed(batch []Event, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.write != nil || t.final != nil {
		return
	}
	t.news, t.patience = now, newsPause
	for _, ev := range batch {
		if ev.ID <= t.last || ev.Type.Terminal() { // how it ended comes from the record
			continue
		}
		t.skipTo(ev.ID - 1)
		t.keep(ev)
	}
	t.wake()
}

// seal accepts no more events but the end, and gives the newest id. Pending events go
// to the log before the end is on disk.
func (t *tail) seal() uint64 {
	t.mu.Lock()
	t.sealed = true
	last := t.last
	t.mu.Unlock()
	t.flush()
	return last
}

// add appends an event with the next id, unless the tail is sealed.
func (t *tail) add(kind EventType, data []byte) {
	t.mu.Lock()
	if t.sealed || t.write == nil {
		t.mu.Unlock()
		return
	}
	ev := Event{t.last + 1, kind, data}
	t.keep(ev)
	full := t.enqueue(ev)
	t.wake()
	t.mu.Unlock()
	if full {
		t.flush()
	}
}

// rewrite has an event written that is in memory already, or need not be, before the
// events that are added afterwards.
func (t *tail) rewrite(ev Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.enqueue(ev)
}

// enqueue has an event written soon, and reports whether the caller has to wait for
// that. mu is held.
func (t *tail) enqueue(ev Event) (full bool) {
	t.pending, t.pendingBytes = append(t.pending, ev), t.pendingBytes+len(ev.Data)
	pause, hurry := t.pause, t.pendingBytes >= chunkBytes || len(t.pending) >= chunkEvents
	if hurry {
		pause = 0
	}
	switch {
	case t.timer == nil:
		t.timer = time.AfterFunc(pause, t.flush)
	case !t.armed, hurry && !t.hurried:
		t.timer.Reset(pause)
	}
	t.armed, t.hurried = true, t.hurried || hurry
	return t.pendingBytes >= maxPendingBytes || len(t.pending) >= maxPendingEvents
}

// finish says how the task ended, once. Events up to whole came before it.
func (t *tail) finish(final Event, whole uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.final == nil {
		t.final, t.whole, t.sealed = &final, whole, true
		t.wake()
	}
}

// keep appends an event. mu is held, in trim and wake as well.
func (t *tail) keep(ev Event) {
	t.last = ev.ID
	t.events, t.bytes = append(t.events, ev), t.bytes+len(ev.Data)
	t.trim()
}

// trim drops the oldest events, but none that the log does not have yet: a reader would be
// told of a gap that is none.
func (t *tail) trim() {
	for len(t.events) > 1 && (len(t.events) > tailEvents || t.bytes > tailBytes) && (t.write == nil || t.events[0].ID <= t.logged) {
		t.bytes -= len(t.events[0].Data)
		t.events[0].Data = nil // the slice's array lives on for a while
		t.events = t.events[1:]
	}
}

func (t *tail) wake() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// flush writes what is pending to the log.
func (t *tail) flush() {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	batch, write := t.pending, t.write
	t.pending, t.pendingBytes, t.armed, t.hurried = nil, 0, false, false
	t.mu.Unlock()
	if len(batch) > 0 && write != nil {
		write(encodeBatch(batch))
		t.mu.Lock()
		t.logged = max(t.logged, batch[len(batch)-1].ID) // a write that failed is not repeated
		t.trim()
		t.mu.Unlock()
	}
}
