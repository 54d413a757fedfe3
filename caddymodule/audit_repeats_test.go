package caddymodule

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
)

const repeated = `
	authmin edge {
		require infer /v1/*
		audit_summary GET /v1/beat /v1/beats/*
	}
`

// Of the same request of one identity the first has a record, and the others share one,
// which is written at the latest when the gateway stops. Other requests, other
// identities and refusals have theirs.
func TestRepeatedRequestsShareARecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	g := serve(t, false, auditing("lockout off\naudit file "+path), repeated+"respond ok")
	before := len(auditLines(t, path))
	for range 10 {
		for _, target := range []string{"/v1/beat", "/v1/beats/a", "/v1/other"} {
			if got := statusOf(t, g, target, asUser); got != 200 {
				t.Fatalf("%s: %d", target, got)
			}
		}
	}
	statusOf(t, g, "/v1/beat", asBoss)
	statusOf(t, g, "/v1/beat", "Authorization: Bearer wrong")
	if answer, _ := g.ask(t, plainClient(), "POST", "/v1/beat", asUser); answer.StatusCode != 200 {
		t.Fatalf("POST: %d", answer.StatusCode)
	}
	g.load(t, auditing("lockout off\naudit stderr"), "respond ok") // the file's last configuration ends
	got := map[string]int{}
	for _, r := range afterStart(auditLines(t, path)[before:]) {
		of := fmt.Sprintf("%s %s %s %s", r["decision"], r["token"], r["method"], r["path"])
		if count := r["count"]; count != nil {
			of += fmt.Sprintf(" %v together", count)
			if r["since"] == nil || r["event"] != eventAllowed || r["reasons"] != "" {
				t.Errorf("%s: the record of the others is %v", of, r)
			}
		}
		got[of]++
	}
	want := map[string]int{
		"allow infer-user GET /v1/beat": 1, "allow infer-user GET /v1/beat 9 together": 1, "allow infer-user GET /v1/beats/a": 1, "allow infer-user GET /v1/beats/a 9 together": 1,
		"allow infer-user GET /v1/other": 10, "allow boss GET /v1/beat": 1, "allow infer-user POST /v1/beat": 1, "refuse  GET /v1/beat": 1,
	}
	for of, n := range want {
		if got[of] != n {
			t.Errorf("%s: %d records, want %d", of, got[of], n)
		}
		delete(got, of)
	}
	for of, n := range got {
		t.Errorf("%s: %d records, want none", of, n)
	}
}

// Paths are chosen by the caller: beyond the bound each request has a record.
func TestRepeatedRequestsAreBounded(t *testing.T) {
	a, err := newAuditLog([]AuditSink{{Sink: sinkFile, Path: filepath.Join(t.TempDir(), "audit")}}, zap.NewNop(), shared)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	now := time.Now()
	record := func(i int) *decisionRecord {
		return &decisionRecord{event: eventAllowed, guard: "edge", method: "POST", path: fmt.Sprint("/v1/beats/", i), remote: clientA}
	}
	for i := range maxRepeats {
		if a.holdRepeat(record(i)) {
			t.Fatalf("the first request %d is held", i)
		}
	}
	if !a.holdRepeat(record(0)) {
		t.Error("the second request is not held")
	}
	for range 3 {
		if a.holdRepeat(record(maxRepeats)) {
			t.Error("a request beyond the bound is held")
		}
	}
	if due := a.repeats.expired(now.Add(repeatWindow+time.Minute), false); len(due) != 1 || due[0].count != 1 {
		t.Errorf("%d summaries, want one of a single request", len(due))
	}
	if left := len(a.repeats.clients); left != 0 {
		t.Errorf("%d counts are left after their window", left)
	}
}
