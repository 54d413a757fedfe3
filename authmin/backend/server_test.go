package backend

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is a log that a server's goroutines write to.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// serveOn serves a handler on a free port until the test ends.
func serveOn(t *testing.T, h http.HandlerFunc) (base string, s *Server, log *lockedBuffer) {
	t.Helper()
	ln, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = new(lockedBuffer)
	s = Serve(ln, h, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	return "http://" + ln.Addr().String(), s, log
}

// What net/http reports, a failed accept above all, is for the operator.
func TestServerErrorsAreWarnings(t *testing.T) {
	base, s, log := serveOn(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.WriteHeader(500) })
	answer, err := http.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "superfluous") {
		t.Errorf("the log has %q, want a warning", log)
	}
}

func TestStopCutsWhatIsStillOpen(t *testing.T) {
	base, s, _ := serveOn(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	answer, err := http.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	begin := time.Now()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(answer.Body); err == nil || time.Since(begin) > 4*closeTimeout {
		t.Errorf("got %v after %s, want a stream that is cut within %s", err, time.Since(begin), closeTimeout)
	}
	select {
	case err := <-s.Failed():
		t.Errorf("a stop is reported as a failure: %v", err)
	default:
	}
}

func TestOptionsOfTheWholeServerReachTheHandler(t *testing.T) {
	base, _, _ := serveOn(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	r, _ := http.NewRequest(http.MethodOptions, base, nil)
	r.URL.Opaque = "*"
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("OPTIONS *: got %d, want the handler's 401", answer.StatusCode)
	}
}
