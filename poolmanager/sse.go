package poolmanager

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// headerWait is how long the header waits for a first event to travel with: an
// engine that answers at once costs one write instead of two. After that it goes
// ahead, so that the caller is reading already when the first event comes.
const headerWait = 2 * time.Millisecond

// sseWriter writes events, each flushed and each with a deadline, so that
// a caller that stops reading cannot hold a slot for ever.
type sseWriter struct {
	control *http.ResponseController
	mu      sync.Mutex // tokens and comments come from two goroutines
	w       http.ResponseWriter
	buffer  []byte
	opened  bool
	renewed time.Time // when a write's deadline was set last
}

// renewal is how long a deadline serves for the writes that follow: to set one
// costs some percent of a token. writeLimit is that much shorter at worst.
const renewal = time.Second

func newSSEWriter(w http.ResponseWriter) *sseWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	return &sseWriter{control: http.NewResponseController(w), w: w}
}

func (s *sseWriter) send(e nodeapi.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.buffer, err = e.AppendSSE(s.buffer[:0]); err != nil {
		return err
	}
	return s.write(s.buffer)
}

// keepAlive sends the header when no event came soon, and comments, until the
// returned function is called; it returns when no more can come.
func (s *sseWriter) keepAlive(every time.Duration) (stop func()) {
	quit := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		timer := time.NewTimer(headerWait)
		defer timer.Stop()
		for {
			select {
			case <-quit:
				return
			case <-timer.C:
			}
			if s.idle() != nil {
				return
			}
			timer.Reset(every)
		}
	})
	return func() { close(quit); ended.Wait() }
}

// idle sends the header if it was not sent, else a comment.
func (s *sseWriter) idle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.opened {
		return s.write(nil)
	}
	return s.write([]byte(": waiting\n\n"))
}

func (s *sseWriter) write(p []byte) error {
	if now := time.Now(); now.Sub(s.renewed) >= renewal {
		s.renewed = now
		if err := s.control.SetWriteDeadline(now.Add(writeLimit)); err != nil {
			return fmt.Errorf("writing to the caller: %w", err)
		}
	}
	s.opened = true
	if _, err := s.w.Write(p); err != nil { // of nothing: the header
		return fmt.Errorf("writing to the caller: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("writing to the caller: %w", err)
	}
	return nil
}
