package caddymodule

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
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

// With a required sink no request is forwarded without a record, whether another one like
// it had a record or not.
func TestRepeatedRequestsNeedTheirRecordWhereASinkIsRequired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	g := serve(t, false, auditing("lockout off\naudit file "+path+" {\nrequired\n}"), repeated+"respond ok")
	before := len(auditLines(t, path))
	for range 3 {
		if got := statusOf(t, g, "/v1/beat", asUser); got != 200 {
			t.Fatalf("with a sink: %d", got)
		}
	}
	if n := len(auditLines(t, path)) - before; n < 3 {
		t.Errorf("%d records of 3 requests", n)
	}
	spoil(t, path)
	testkit.Eventually(t, "requests to be refused", func() bool { return statusOf(t, g, "/v1/beat", asUser) == 503 })
	for range 3 {
		if got := statusOf(t, g, "/v1/beat", asUser); got != 503 {
			t.Errorf("without a sink: %d, want 503", got)
		}
	}
	mend(t, path)
}

// A client behind a proxy, and a path that is not recorded as it is, have records of
// their own.
func TestRepeatedRequestsHideNoOther(t *testing.T) {
	path, long := filepath.Join(t.TempDir(), "audit"), "/v1/beats/"+strings.Repeat("x", authmin.MaxLoggedPath)
	g := serve(t, false, "servers {\ntrusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict\n}\n"+auditing("lockout off\naudit file "+path), repeated+"respond ok")
	before := len(auditLines(t, path))
	for _, client := range []string{"192.0.2.1", "198.51.100.66", "192.0.2.1", "203.0.113.9"} {
		statusOf(t, g, "/v1/beat", asUser, "X-Forwarded-For: "+client)
	}
	for _, end := range []string{"a", "b", "c"} {
		statusOf(t, g, long+end, asUser)
	}
	g.load(t, auditing("lockout off\naudit stderr"), "respond ok") // the file's last configuration ends
	clients, paths := map[any]int{}, 0
	for _, r := range afterStart(auditLines(t, path)[before:]) {
		if r["path"] == "/v1/beat" {
			clients[r["client_ip"]]++
		} else {
			paths++
		}
	}
	if len(clients) != 3 || paths != 3 {
		t.Errorf("records of the clients %v and of %d long paths, want 3 and 3", clients, paths)
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
	of := func(i int) (*requestState, *decisionRecord) {
		path := fmt.Sprint("/v1/beats/", i)
		return &requestState{target: path}, &decisionRecord{event: eventAllowed, guard: "edge", method: "POST", path: path, remote: clientA}
	}
	for i := range maxRepeats {
		if a.holdRepeat(of(i)) {
			t.Fatalf("the first request %d is held", i)
		}
	}
	if !a.holdRepeat(of(0)) {
		t.Error("the second request is not held")
	}
	for range 3 {
		if a.holdRepeat(of(maxRepeats)) {
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
