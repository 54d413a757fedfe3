package caddymodule

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// value reads one counter or gauge.
func value(t *testing.T, metric prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := metric.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func entryText(entry observer.LoggedEntry) string {
	text := ""
	for _, field := range entry.Context {
		text += " " + field.String
		if err, ok := field.Interface.(error); ok {
			text += " " + err.Error()
		}
	}
	return text
}

// Two files are one keyring, and each changes on its own: what is wrong with one
// does not hold up the other.
func TestTwoFiles(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	writeKeyring(t, first, keyringLine("a", tokenInfer, "infer"))
	writeKeyring(t, second)
	s, _ := storeOf(t, first, second)
	writeFile(t, first, "garbage", 0o600)
	writeKeyring(t, second, keyringLine("b", tokenAdmin, "admin"))
	if s.poll(); !s.knows(tokenInfer) || !s.knows(tokenAdmin) {
		t.Error("the second file waits for the first")
	}
}

// Moving a token from one file to another makes it known twice for a moment,
// which is refused; when the moment is over, both files are in use.
func TestTokenMovesBetweenFiles(t *testing.T) {
	for name, order := range map[string][2]int{"to a later file": {0, 1}, "to an earlier file": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := []string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}
			from, to := files[order[0]], files[order[1]]
			writeKeyring(t, from, keyringLine("a", tokenInfer, "infer"), keyringLine("rest", tokenUpstream, "infer"))
			writeKeyring(t, to)
			s, _ := storeOf(t, files...)
			writeKeyring(t, to, keyringLine("a", tokenInfer, "infer"), keyringLine("b", tokenAdmin, "admin"))
			if s.poll(); !s.knows(tokenInfer) {
				t.Error("the token is not known while it is in both")
			}
			writeKeyring(t, from, keyringLine("rest", tokenUpstream, "infer"))
			if s.poll(); !s.knows(tokenInfer) || !s.knows(tokenAdmin) || !s.knows(tokenUpstream) {
				t.Error("a token is not known after the move")
			}
		})
	}
}

func TestStatesOfTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	writeKeyring(t, path,
		keyringLine("a", "token-a", "infer"), keyringLine("b", "token-b", "infer"),
		keyringLine("c", "token-c", "infer expires="+soon.Add(time.Hour).Format(time.RFC3339)),
		keyringLine("d", "token-d", "infer expires="+soon.Format(time.RFC3339)),
		keyringLine("e", "token-e", "infer state=revoked expires="+time.Now().Add(time.Minute).Format(time.RFC3339)),
		keyringLine("f", "token-f", "infer expires=2001-01-01T00:00:00Z"),
		keyringLine("g", "token-g", "infer not_before=2099-01-01T00:00:00Z"))
	s, _ := storeOf(t, path)
	expect := func(active, expired, revoked, notYet float64, expiry time.Time) {
		t.Helper()
		for state, want := range map[string]float64{"active": active, "expired": expired, "revoked": revoked, "not_yet": notYet} {
			if got := value(t, s.metrics.tokens.WithLabelValues(state)); got != want {
				t.Errorf("%s: got %v, want %v", state, got, want)
			}
		}
		if got := value(t, s.metrics.nextExpiry); got != float64(expiry.Unix()) {
			t.Errorf("next expiry: got %v, want %v", got, expiry.Unix())
		}
	}
	expect(4, 1, 1, 1, soon)
	// States change by themselves, when their time has come and not before.
	if s.nextChange != soon {
		t.Errorf("states are looked at again at %v, want %v", s.nextChange, soon)
	}
	if again := s.metrics.setTokens(s.keyring(), soon); again != soon.Add(time.Hour) {
		t.Errorf("then at %v", again)
	}
	expect(3, 2, 1, 1, soon.Add(time.Hour))
	s.metrics.setTokens(new(authmin.Keyring), soon)
	expect(0, 0, 0, 0, time.Unix(0, 0))
}

func TestFileLimits(t *testing.T) {
	paths := make([]string, maxTokenFiles+1)
	m, err := provisionMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	_, err = newTokenStore(nil, paths, zap.NewNop(), quietAudit(t, m), m)
	expectRefused(t, err, "17 files are over the limit of 16")
	_, err = newTokenStore(nil, []string{"relative"}, zap.NewNop(), quietAudit(t, m), m)
	expectRefused(t, err, "not an absolute path")
}
