package main

import (
	"sync"
	"time"
)

const (
	// maxWindows bounds the faults that are remembered: no request lasts as long as that
	// many faults.
	maxWindows = 64
	// noticing is how long before the first sign of a fault a client may have been hit: a
	// signal is sent after the window was opened, so it only covers clocks.
	noticing = 100 * time.Millisecond
)

// windows are the times in which something is broken on purpose, up to the recovery.
type windows struct {
	mu   sync.Mutex
	list []window
	now  func() time.Time
}

type window struct {
	what       string
	begin, end time.Time // end is zero while it is open
}

func newWindows() *windows { return &windows{now: time.Now} }

// open begins a window. One fault is open at a time.
func (w *windows) open(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, window{what: what, begin: w.now()})
	if len(w.list) > maxWindows {
		w.list = append([]window(nil), w.list[len(w.list)-maxWindows:]...)
	}
}

// close ends the newest window.
func (w *windows) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.list); n > 0 && w.list[n-1].end.IsZero() {
		w.list[n-1].end = w.now()
	}
}

// covers gives a fault that was open at some time between from and to.
func (w *windows) covers(from, to time.Time) (what string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.list) - 1; i >= 0; i-- {
		v := w.list[i]
		if !v.begin.After(to.Add(noticing)) && (v.end.IsZero() || !v.end.Before(from)) {
			return v.what, true
		}
	}
	return "", false
}
