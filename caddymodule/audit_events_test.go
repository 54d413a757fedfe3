package caddymodule

import (
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// trailOf runs f with an audit log to one file, and returns its records without
// time and number.
func trailOf(t *testing.T, f func(a *auditLog)) []map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit")
	a, err := newAuditLog([]AuditSink{{Sink: sinkFile, Path: path}}, zap.NewNop(), shared)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.open(); err != nil {
		t.Fatal(err)
	}
	f(a)
	a.close()
	records := auditLines(t, path)
	for _, record := range records {
		delete(record, "time")
		delete(record, "seq")
	}
	return records
}

func TestEventsBesideDecisions(t *testing.T) {
	token := authmin.NewToken("ci", authmin.NewSecret(tokenInfer))
	d := &authmin.Decision{Identity: "token:" + token.Fingerprint(), Token: &token, Fingerprint: token.Fingerprint()}
	long := errors.New(strings.Repeat("x", 5000) + "\n")
	got := trailOf(t, func(a *auditLog) {
		a.bindRefused("edge", "tcp/:443", errors.New("no token\nat all"))
		a.rotationDetected("ci", "000001", "000002")
		a.tokenRevoked("ci", "000001", "keyring")
		a.configLoaded(3, 1, 7)
		a.configRejected("keyring", long)
		a.lockoutStart("10.0.0.1", lockoutRule{10, time.Minute, 5 * time.Minute})
		a.lockoutEnd("10.0.0.1")
		a.streamTerminated("edge", d, authmin.ReasonRevoked, "id-1", 4711, 1500*time.Millisecond)
	})
	want := []map[string]any{
		{"level": "ERROR", "event": "startup_bind_refused", "guard": "edge", "address": "tcp/:443", "error": "no token?at all"},
		{"level": "INFO", "event": "token_rotation_detected", "token": "ci", "fp6_old": "000001", "fp6_new": "000002"},
		{"level": "WARN", "event": "token_revoked", "token": "ci", "fp6": "000001", "by": "keyring"},
		{"level": "INFO", "event": "config_loaded", "guards": 3.0, "shadow_guards": 1.0, "tokens": 7.0},
		{"level": "ERROR", "event": "config_rejected", "what": "keyring", "error": strings.Repeat("x", maxAuditError-3) + "…"},
		{"level": "WARN", "event": "lockout_start", "client_ip": "10.0.0.1", "failures": 10.0, "ban_ms": 300000.0},
		{"level": "INFO", "event": "lockout_end", "client_ip": "10.0.0.1"},
		{"level": "WARN", "event": "stream_terminated", "guard": "edge", "identity": "token:" + token.Fingerprint(), "token": "ci",
			"fp6": token.Fingerprint(), "reason": "revoked", "bytes": 4711.0, "duration_ms": 1500.0, "correlation_id": "id-1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A shadow guard's record says what would have been, and no status: the upstream
// answers.
func TestAShadowGuardRecordsWhatItWouldDeny(t *testing.T) {
	policy, err := authmin.NewPolicy(authmin.PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := &authmin.Decision{Reason: authmin.ReasonMissing, Rule: authmin.NoRule, Identity: authmin.NameAnonymous, Problem: &authmin.ProblemMissingToken}
	r := httptest.NewRequest("GET", "/v1/x", nil)
	got := trailOf(t, func(a *auditLog) {
		for _, shadow := range []bool{true, false} {
			if !a.decision(r, &Guard{Name: "edge", policy: policy, Shadow: shadow}, d, &requestState{target: "/v1/x?token=x"}) {
				t.Error("refused, and no sink is required")
			}
		}
	})
	if len(got) != 2 || got[0]["decision"] != "would_deny" || got[0]["status"] != nil || got[1]["decision"] != "refuse" || got[1]["status"] != 401.0 || got[1]["path"] != "/v1/x" {
		t.Errorf("got %v", got)
	}
}
