package trail

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// flushDelay is how long a record may wait for others, so that many share one
	// write: a write to a file of a few records costs as much as one of a hundred,
	// 50 µs and more. Records that a caller waits for are written at once, and so is a
	// queue that is a quarter full.
	flushDelay = 50 * time.Millisecond
	// tickInterval is the interval of [output] ticks: twice a second, so that a rotation
	// is detected within one.
	tickInterval = 500 * time.Millisecond
)

// batch is the lines of one write.
type batch struct {
	lines   []byte
	records int
	receipt *receipt // nil while no caller waits
}

// receipt reports the outcome of a batch to the callers that wait.
type receipt struct {
	done chan struct{}
	err  error
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
		return ErrStalled
	}
}

// enqueue adds a record to the current batch, and returns its receipt.
func (s *Sink) enqueue(r Record) (*receipt, error) {
	s.mu.Lock()
	b := s.filling
	if s.stopped || len(b.lines)+len(r.Line) >= queueBytes {
		stopped := s.stopped
		s.mu.Unlock()
		if stopped {
			return nil, ErrStopped
		}
		return nil, ErrQueueFull
	}
	before := len(b.lines)
	b.lines = append(append(b.lines, r.Line...), '\n')
	b.records++
	if r.Wait && b.receipt == nil {
		b.receipt = &receipt{done: make(chan struct{})}
	}
	receipt := b.receipt
	full := before < queueBytes/4 && len(b.lines) >= queueBytes/4
	s.mu.Unlock()
	if before == 0 {
		notify(s.wake)
	}
	if r.Wait || full {
		notify(s.urgent)
	}
	return receipt, nil
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run empties the queue until the sink is stopped.
func (s *Sink) run() {
	defer close(s.done)
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	delay := time.NewTimer(flushDelay)
	defer delay.Stop()
	for {
		select {
		case <-s.stop:
			s.flush()
			s.whileBusy(s.out.close)
			return
		case <-ticker.C:
			s.whileBusy(func() { s.out.tick(time.Now()) })
		case <-s.wake:
			delay.Reset(flushDelay)
			select {
			case <-s.urgent:
			case <-delay.C:
			case <-s.stop:
			}
			s.flush()
		}
	}
}

// whileBusy marks the time in which the output can hang.
func (s *Sink) whileBusy(f func()) {
	s.busySince.Store(time.Now().UnixNano())
	f()
	s.busySince.Store(0)
}

// flush writes the records that wait, as one batch.
func (s *Sink) flush() {
	s.mu.Lock()
	b := s.filling
	s.filling, s.spare = s.spare, nil
	s.mu.Unlock()
	if b.records > 0 {
		s.whileBusy(func() { s.write(b) })
	}
	*b = batch{lines: b.lines[:0]} // the memory is kept for the next burst
	s.spare = b
}

func (s *Sink) write(b *batch) {
	if lost := s.lost.Load(); lost > 0 {
		s.writeGap(lost)
	}
	written, err := s.out.write(b.lines, b.records)
	s.counters.Written.Add(float64(written))
	if err != nil {
		s.counters.Failed.Add(float64(b.records - written))
		s.lost.Add(int64(b.records - written))
	}
	if b.receipt != nil {
		b.receipt.err = err
		close(b.receipt.done)
	}
	s.report(err)
}

// writeGap writes a record with the number of records that were lost before it.
func (s *Sink) writeGap(lost int64) {
	r := slog.NewRecord(time.Now(), slog.LevelError, EventGap, 0)
	r.AddAttrs(slog.Uint64("seq", NextSeq()), slog.String("event", EventGap), slog.Int64("lost", lost))
	s.gap = append(AppendRecord(s.gap[:0], &r), '\n')
	if _, err := s.out.write(s.gap, 1); err == nil {
		s.lost.Add(-lost)
	}
}

// report logs when a sink begins to fail and when it works again, once each.
func (s *Sink) report(err error) {
	switch {
	case err != nil && !s.failing:
		s.log().Error("audit sink fails; records are lost until it works", "error", err)
	case err == nil && s.failing:
		s.log().Info("audit sink works again")
	}
	s.failing = err != nil
}
