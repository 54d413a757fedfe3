package caddymodule

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

const (
	// queueBytes bounds what waits for one sink: 4 MiB are some 7,000 ordinary
	// records, a quarter of a second at 30,000 requests a second. There are two
	// such buffers, one filling and one being written.
	queueBytes = 4 << 20
	// sinkTimeout is how long a sink may hang: how long a request waits for a
	// required one, a write to a socket for its peer, and a stop for the rest of
	// the queue.
	sinkTimeout = 2 * time.Second
	// flushDelay is how long a record may wait for others, so that many share
	// one write: a write to a file of a few records costs as much as one of a
	// hundred, 50 µs and more. Records of required sinks do not wait, nor does
	// a quarter of a full queue.
	flushDelay = 50 * time.Millisecond
	// lookInterval is how often a sink looks after itself: twice a second, so
	// that a rotation is noticed within one.
	lookInterval = 500 * time.Millisecond
)

// Why a record has not been written.
var (
	errQueueFull   = errors.New("the sink's queue is full")
	errSinkStalled = errors.New("the sink hangs")
	errSinkClosed  = errors.New("the sink is closed")
)

// auditOutput is where a sink's lines go. Only the sink's own goroutine calls it.
type auditOutput interface {
	// open is called once, first. Its error refuses the start.
	open() error
	// write hands whole lines to the kernel, and says how many of them it did.
	write(lines []byte, records int) (int, error)
	// tick looks after the output, twice a second.
	tick(now time.Time)
	close()
}

// auditQueue is one sink: a bounded queue and the one goroutine that empties it.
// Sinks of the same target in several configurations are one, so that a reload
// neither loses nor doubles a record. The goroutine is started by start, and
// ended by Destruct when the last configuration lets go.
type auditQueue struct {
	out     auditOutput
	count   sinkCounters
	timeout time.Duration

	startOnce sync.Once
	startErr  error
	wake      chan struct{} // something waits
	urgent    chan struct{} // somebody waits for it
	stop      chan struct{}
	done      chan struct{}
	busySince atomic.Int64 // Unix nanoseconds since when the output works; 0 while idle
	lost      atomic.Int64 // records not written since the last one that said so

	mu      sync.Mutex
	filling *auditBatch
	running bool
	ended   bool

	spare   *auditBatch // the goroutine's
	failing bool
	gap     []byte
}

// sinkCounters are the sink's counters in the metrics.
type sinkCounters struct{ written, dropped, failed prometheus.Counter }

// auditBatch are the lines of one write.
type auditBatch struct {
	lines   []byte
	records int
	receipt *receipt // nil while nobody waits
}

// receipt tells those who wait what became of a batch.
type receipt struct {
	done chan struct{}
	err  error
}

func newAuditQueue(out auditOutput, count sinkCounters) *auditQueue {
	return &auditQueue{
		out: out, count: count, timeout: sinkTimeout,
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
		filling: new(auditBatch), spare: new(auditBatch),
	}
}

// start opens the output and begins to write, the first time that it is called.
// What was put before then has waited. `validate` never gets here.
func (q *auditQueue) start() error {
	q.startOnce.Do(func() {
		if q.startErr = q.out.open(); q.startErr != nil {
			return
		}
		q.mu.Lock()
		q.running = !q.ended
		q.mu.Unlock()
		if q.running {
			go q.run()
		}
	})
	return q.startErr
}

// Destruct implements [caddy.Destructor]: it writes what waits, and ends the
// goroutine. An output that hangs in the kernel is left behind after the
// time-out; nothing can end it.
func (q *auditQueue) Destruct() error {
	q.mu.Lock()
	q.ended = true
	running := q.running
	q.mu.Unlock()
	if !running {
		return nil
	}
	close(q.stop)
	select {
	case <-q.done:
		return nil
	case <-time.After(q.timeout):
		return errSinkStalled
	}
}

// put adds a line, without its line end. With wait it returns when the line has
// been handed to the kernel, or the error that kept it from there. Without, it
// never waits.
func (q *auditQueue) put(line []byte, wait bool) error {
	if wait && q.stalled() {
		q.drop()
		return errSinkStalled
	}
	q.mu.Lock()
	b := q.filling
	if q.ended || len(b.lines)+len(line) >= queueBytes {
		ended := q.ended
		q.mu.Unlock()
		q.drop()
		if ended {
			return errSinkClosed
		}
		return errQueueFull
	}
	before := len(b.lines)
	b.lines = append(append(b.lines, line...), '\n')
	b.records++
	if wait && b.receipt == nil {
		b.receipt = &receipt{done: make(chan struct{})}
	}
	receipt := b.receipt
	full := before < queueBytes/4 && len(b.lines) >= queueBytes/4
	q.mu.Unlock()
	if before == 0 {
		nudge(q.wake)
	}
	if wait || full {
		nudge(q.urgent)
	}
	if !wait {
		return nil
	}
	return receipt.await(q.timeout)
}

func (q *auditQueue) drop() {
	q.lost.Add(1)
	q.count.dropped.Inc()
}

// stalled reports that the output has not come back for as long as anybody may
// wait: later requests need not find out again.
func (q *auditQueue) stalled() bool {
	since := q.busySince.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(q.timeout)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

func (r *receipt) await(most time.Duration) error {
	timer := timers.Get().(*time.Timer)
	timer.Reset(most)
	defer timers.Put(timer)
	defer timer.Stop()
	select {
	case <-r.done:
		return r.err
	case <-timer.C:
		return errSinkStalled
	}
}

func (q *auditQueue) run() {
	defer close(q.done)
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	delay := time.NewTimer(flushDelay)
	defer delay.Stop()
	for {
		select {
		case <-q.stop:
			q.flush()
			q.work(q.out.close)
			return
		case <-ticker.C:
			q.work(func() { q.out.tick(time.Now()) })
		case <-q.wake:
			delay.Reset(flushDelay)
			select {
			case <-q.urgent:
			case <-delay.C:
			case <-q.stop:
			}
			q.flush()
		}
	}
}

// work marks the time in which the output can hang.
func (q *auditQueue) work(f func()) {
	q.busySince.Store(time.Now().UnixNano())
	f()
	q.busySince.Store(0)
}

// flush writes what waits, as one batch.
func (q *auditQueue) flush() {
	q.mu.Lock()
	b := q.filling
	q.filling, q.spare = q.spare, nil
	q.mu.Unlock()
	if b.records > 0 {
		q.work(func() { q.write(b) })
	}
	*b = auditBatch{lines: b.lines[:0]} // kept: a burst is followed by the next
	q.spare = b
}

func (q *auditQueue) write(b *auditBatch) {
	lost := q.lost.Load()
	if lost > 0 {
		q.tellGap(lost)
	}
	written, err := q.out.write(b.lines, b.records)
	q.count.written.Add(float64(written))
	if err != nil {
		q.count.failed.Add(float64(b.records - written))
		q.lost.Add(int64(b.records - written))
	}
	if b.receipt != nil {
		b.receipt.err = err
		close(b.receipt.done)
	}
	q.report(err)
}

// tellGap writes a record that says how many are missing before it.
func (q *auditQueue) tellGap(lost int64) {
	r := slog.NewRecord(time.Now(), slog.LevelError, eventGap, 0)
	r.AddAttrs(slog.Uint64("seq", auditSequence.Add(1)), slog.String("event", eventGap), slog.Int64("lost", lost))
	q.gap = append(appendRecord(q.gap[:0], &r), '\n')
	if _, err := q.out.write(q.gap, 1); err == nil {
		q.lost.Add(-lost)
	}
}

// report tells the operator when a sink begins to fail and when it works again,
// not every time in between.
func (q *auditQueue) report(err error) {
	log := caddy.Log().Named("authmin")
	switch {
	case err != nil && !q.failing:
		log.Error("audit sink fails; records are lost until it works", zap.Error(err))
	case err == nil && q.failing:
		log.Info("audit sink works again")
	}
	q.failing = err != nil
}

// eachLine calls f for every line of a batch, without its line end.
func eachLine(lines []byte, f func(line []byte) error) (int, error) {
	n := 0
	for line := range bytes.Lines(lines) {
		if err := f(line[:len(line)-1]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
