package poolmanager

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/client"
)

// sseWriter writes events, each flushed and each with its own deadline, so that
// a caller that stops reading cannot hold a slot for ever.
type sseWriter struct {
	control *http.ResponseController
	mu      sync.Mutex // tokens and comments come from two goroutines
	w       http.ResponseWriter
	buffer  []byte
}

func newSSEWriter(w http.ResponseWriter) *sseWriter {
	return &sseWriter{control: http.NewResponseController(w), w: w}
}

// open sends the header at once: the caller knows that it has a slot.
func (s *sseWriter) open() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
	return s.flush()
}

func (s *sseWriter) send(e client.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.buffer, err = e.AppendSSE(s.buffer[:0]); err != nil {
		return err
	}
	return s.write(s.buffer)
}

// keepAlive sends comments until the returned function is called; it returns
// when no more can come.
func (s *sseWriter) keepAlive(every time.Duration) (stop func()) {
	quit := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				s.mu.Lock()
				err := s.write([]byte(": waiting\n\n"))
				s.mu.Unlock()
				if err != nil {
					return
				}
			}
		}
	})
	return func() { close(quit); ended.Wait() }
}

func (s *sseWriter) write(p []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return fmt.Errorf("writing to the caller: %w", err)
	}
	if _, err := s.w.Write(p); err != nil {
		return fmt.Errorf("writing to the caller: %w", err)
	}
	return s.flush()
}

func (s *sseWriter) flush() error {
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("writing to the caller: %w", err)
	}
	return nil
}
