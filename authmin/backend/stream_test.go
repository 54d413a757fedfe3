package backend

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// client is what a stream is written to; it may stall, or leave.
type client struct {
	*httptest.ResponseRecorder
	mu       sync.Mutex
	flushes  int
	deadline []time.Time
	fails    error
}

func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails != nil {
		return 0, c.fails
	}
	return c.ResponseRecorder.Write(p)
}

func (c *client) SetWriteDeadline(t time.Time) error { c.deadline = append(c.deadline, t); return nil }

func (c *client) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushes++
}

// got is how often something was flushed, and what was.
func (c *client) got() (flushes int, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushes, c.Body.String()
}

func TestAStreamSendsItsHeaderWithTheFirstPiece(t *testing.T) {
	w := &client{ResponseRecorder: httptest.NewRecorder()}
	s := NewStream(w, time.Minute)
	if w.flushes > 0 {
		t.Error("sent before the first piece")
	}
	if err := s.Write([]byte("data: a\n\n")); err != nil || w.Code != 200 || w.flushes != 1 || w.Body.String() != "data: a\n\n" {
		t.Errorf("got %d %q, %d flushes, %v", w.Code, w.Body, w.flushes, err)
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := w.Result().Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if err := s.Open(); err != nil || w.flushes != 1 {
		t.Errorf("opening it again: %v, %d flushes", err, w.flushes)
	}
}

func TestAnIdleStreamIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &client{ResponseRecorder: httptest.NewRecorder()}
		s := NewStream(w, time.Minute)
		stop := s.KeepAlive(15 * time.Second)
		<-time.After(headerWait)
		synctest.Wait()
		if flushes, text := w.got(); flushes != 1 || text != "" {
			t.Errorf("after %s: %d flushes, %q, want the header alone", headerWait, flushes, text)
		}
		<-time.After(30 * time.Second)
		synctest.Wait()
		if _, text := w.got(); strings.Count(text, string(keepAlive)) != 2 {
			t.Errorf("got %q in 30 s, want two comments", text)
		}
		stop()
		<-time.After(time.Minute)
		if _, text := w.got(); strings.Count(text, string(keepAlive)) != 2 {
			t.Error("comments came after the stop")
		}
	})
}

// TestDeadlinesAreRenewed at most each second, or a quarter of a short patience:
// a piece has between that much less than the patience and all of it.
func TestDeadlinesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			patience, between time.Duration
			want              int
		}{{30 * time.Second, 100 * time.Millisecond, 2}, {time.Second, 100 * time.Millisecond, 5}, {10 * time.Second, 2 * time.Second, 15}} {
			w := &client{ResponseRecorder: httptest.NewRecorder()}
			s := NewStream(w, c.patience)
			for range 15 {
				_ = s.Write([]byte("data: a\n\n"))
				if left := time.Until(w.deadline[len(w.deadline)-1]); left < c.patience-min(renewal, c.patience/4) || left > c.patience {
					t.Errorf("patience %s: %s for a piece", c.patience, left)
				}
				<-time.After(c.between)
			}
			if len(w.deadline) != c.want {
				t.Errorf("patience %s, a piece each %s: set %d times, want %d", c.patience, c.between, len(w.deadline), c.want)
			}
		}
	})
}

func TestAfterAnErrorNothingIsWritten(t *testing.T) {
	broken := errors.New("broken pipe")
	w := &client{ResponseRecorder: httptest.NewRecorder(), fails: broken}
	s := NewStream(w, time.Minute)
	first := s.Write([]byte("data: a\n\n"))
	w.fails = nil
	if second := s.Alive(); !errors.Is(first, broken) || second != first || s.Err() != first || w.Body.Len() != 0 {
		t.Errorf("got %v, %v, %v, body %q", first, second, s.Err(), w.Body)
	}
}

// TestAClientThatDoesNotReadIsCut over a real connection: its buffers are its
// only credit.
func TestAClientThatDoesNotReadIsCut(t *testing.T) {
	done := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := NewStream(w, 100*time.Millisecond)
		piece := []byte("data: " + strings.Repeat("x", 1<<16) + "\n\n")
		for s.Write(piece) == nil {
		}
		done <- s.Err()
	}))
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := testkit.Receive(t, done, "the end"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline exceeded", err)
	}
	if _, err := io.Copy(io.Discard, bufio.NewReader(answer.Body)); err == nil {
		t.Error("the stream has a proper end")
	}
}
