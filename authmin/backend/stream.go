package backend

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// renewal is how long a write's deadline serves for the writes that follow: to
	// set one costs some percent of an event. The patience is that much shorter at
	// worst.
	renewal = time.Second
	// headerWait is how long the header waits for a first piece to travel with: an
	// answer that comes at once costs one write instead of two. After that it goes
	// ahead, so that the client is reading already when the first piece comes.
	headerWait = 2 * time.Millisecond
)

// keepAlive is a comment that clients ignore and proxies take for traffic.
var keepAlive = []byte(": alive\n\n")

// Stream writes a text/event-stream: one flush a piece, each within a deadline, so
// that a client that does not read is cut. It has no goroutine but the one of
// [Stream.KeepAlive]; the request's context is for the writer to watch.
type Stream struct {
	control  *http.ResponseController
	alive    []byte
	patience time.Duration

	mu      sync.Mutex // pieces and comments may come from two goroutines
	w       http.ResponseWriter
	opened  bool
	renewed time.Time // when a write's deadline was set last
	failed  error
}

// NewStream begins a stream. Patience is how long one piece may take to leave.
// Nothing is sent: the header goes with the first piece, or by [Stream.Open].
func NewStream(w http.ResponseWriter, patience time.Duration) *Stream {
	return NewStreamOf(w, "text/event-stream", keepAlive, patience)
}

// NewStreamOf begins a stream of another content type. Alive is what keeps the
// connection.
func NewStreamOf(w http.ResponseWriter, contentType string, alive []byte, patience time.Duration) *Stream {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for an nginx in front
	return &Stream{control: http.NewResponseController(w), alive: alive, patience: patience, w: w}
}

// Open sends the header, so that the client sees that the stream is open before
// the first piece.
func (s *Stream) Open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		return s.failed
	}
	return s.write(nil)
}

// Write sends one piece, whole events, and waits until the kernel has it. After an
// error every further write fails with the same.
func (s *Stream) Write(piece []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(piece)
}

// Alive sends a comment, which keeps the connection.
func (s *Stream) Alive() error { return s.Write(s.alive) }

// Opened reports whether the header was sent: until then the answer may be another one.
func (s *Stream) Opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Err is the error that ended the stream; nil while it can be written. It is
// [os.ErrDeadlineExceeded] for a client that did not read.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// KeepAlive sends the header when no piece comes soon, and then comments, until
// the returned function is called; that returns when no more can come.
func (s *Stream) KeepAlive(every time.Duration) (stop func()) {
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
func (s *Stream) idle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.opened {
		return s.write(nil)
	}
	return s.write(s.alive)
}

func (s *Stream) write(piece []byte) error {
	if s.failed == nil {
		if err := s.send(piece); err != nil {
			s.failed = fmt.Errorf("writing to the client: %w", err)
		}
	}
	return s.failed
}

func (s *Stream) send(piece []byte) error {
	if now := time.Now(); now.Sub(s.renewed) >= min(renewal, s.patience/4) {
		s.renewed = now
		if err := s.control.SetWriteDeadline(now.Add(s.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	if !s.opened {
		s.opened = true
		s.w.WriteHeader(http.StatusOK)
	}
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	return s.control.Flush()
}
