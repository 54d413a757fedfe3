package trail

import (
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// chainKey is the key of these tests' chains.
var chainKey = authmin.NewSecret("canary-chain-0123456789abcdefghijklmnop")

func noLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newTestFile(path string, key authmin.Secret) *fileOutput { return newFileOutput(path, key, noLog) }

func newTestSink(out output) *Sink { return newSink(out, Options{}) }

// startSink starts a sink over an output, and stops it with the test.
func startSink(t *testing.T, out output) *Sink {
	t.Helper()
	s := newTestSink(out)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopSink(t, s) })
	return s
}

func stopSink(t *testing.T, s *Sink) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// promptly returns what f returns, and fails the test if f hangs. It measures nothing:
// on a busy machine how long f takes says nothing about f.
func promptly(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(testkit.Limit):
		t.Fatalf("%s: still waits after %v", what, testkit.Limit)
		return nil
	}
}

func put(s *Sink, line []byte, wait bool) error { return s.Put(Record{Line: line, Wait: wait}) }

func putLine(t *testing.T, s *Sink, n int) {
	t.Helper()
	line := fmt.Appendf(nil, `{"time":"2026-11-22T01:02:03.000004Z","level":"INFO","event":"auth_success","k":%d,"x":0}`, n)
	if err := put(s, line, true); err != nil {
		t.Fatalf("record %d: %v", n, err)
	}
}

// seqLine is what a line of putLine contains.
func seqLine(n int) string { return fmt.Sprintf(`"k":%d,`, n) }

func contentOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func valueOf(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}
