package orchestrator

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"
)

const (
	// tailEvents and tailBytes bound what a running task keeps in memory for
	// its live readers; older events are read from the log.
	tailEvents = 1024
	tailBytes  = 256 << 10
	// coalesce is how long tokens wait for company before they go to the log.
	// Live readers do not wait: they read the tail.
	coalesce = 5 * time.Millisecond
	// chunkEvents and chunkBytes close a log record early. A quarter of the
	// tail: with one record being written and one being filled, nothing falls
	// out of the tail that the log does not have.
	chunkEvents = tailEvents / 4
	chunkBytes  = tailBytes / 4
)

// tail is the newest events of one task, shared by all its readers, and the
// only writer of the task's log. A reader costs a cursor, not a consumer.
type tail struct {
	append func(record []byte) // to the log; must not block for long

	mu      sync.Mutex
	events  []Event // ids are consecutive
	bytes   int
	last    uint64 // id of the newest event, also when events is empty
	sealed  bool
	changed chan struct{} // closed and replaced by the next event; nil: nobody waits

	pending      []Event
	pendingBytes int
	armed        bool

	writing sync.Mutex // keeps log records in order
}

func newTail(last uint64, write func([]byte)) *tail { return &tail{append: write, last: last} }

// seal lets nothing in any more but the terminal event, whose id follows the
// one returned. A task's end is decided before it is on disk.
func (t *tail) seal() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sealed = true
	return t.last
}

// add appends an event with the next id, unless the tail is sealed.
func (t *tail) add(kind EventType, data any) {
	t.mu.Lock()
	if t.sealed {
		t.mu.Unlock()
		return
	}
	t.put(newEvent(t.last+1, kind, data))
}

// finish appends the terminal event to a sealed tail, and writes it all down.
func (t *tail) finish(final Event) {
	t.mu.Lock()
	t.put(final)
	t.flush()
}

// put is called with mu held and gives it back.
func (t *tail) put(ev Event) {
	t.last = ev.ID
	t.events, t.bytes = append(t.events, ev), t.bytes+len(ev.Data)
	for len(t.events) > 1 && (len(t.events) > tailEvents || t.bytes > tailBytes) {
		t.bytes -= len(t.events[0].Data)
		t.events = t.events[1:]
	}
	t.pending, t.pendingBytes = append(t.pending, ev), t.pendingBytes+len(ev.Data)
	now := t.pendingBytes >= chunkBytes || len(t.pending) >= chunkEvents
	if !t.armed && !now {
		t.armed = true
		time.AfterFunc(coalesce, t.flush)
	}
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
	t.mu.Unlock()
	if now {
		t.flush()
	}
}

// flush writes what is pending to the log.
func (t *tail) flush() {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	batch := t.pending
	t.pending, t.pendingBytes, t.armed = nil, 0, false
	t.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	t.append(encodeBatch(batch))
}

// since gives the events from id next on. ok is false when some of them are
// older than the tail. When there is none yet, changed closes with the next.
func (t *tail) since(next uint64) (events []Event, changed <-chan struct{}, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.last + 1 - uint64(len(t.events))
	if next < first {
		return nil, nil, false
	}
	if next <= t.last {
		return append(events, t.events[next-first:]...), nil, true
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return nil, t.changed, true
}

// newest gives the id of the last event.
func (t *tail) newest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// oldest gives the id of the first event still in memory.
func (t *tail) oldest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last + 1 - uint64(len(t.events))
}

// encodeBatch gives the log record of some events; they came from newEvent, so
// they encode.
func encodeBatch(batch []Event) []byte {
	out := []byte{'['}
	for i, ev := range batch {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"id":`...)
		out = strconv.AppendUint(out, ev.ID, 10)
		out = append(out, `,"type":"`...)
		out = append(out, ev.Type...)
		out = append(out, `","data":`...)
		out = append(append(out, ev.Data...), '}')
	}
	return append(out, ']')
}

func decodeBatch(record []byte) ([]Event, error) {
	var batch []Event
	err := json.Unmarshal(record, &batch)
	return batch, err
}
