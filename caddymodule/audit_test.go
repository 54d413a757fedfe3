package caddymodule

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/llorch/gateway/integration/testkit"
)

// One record a decision, with these fields, and the status where the gateway
// answers itself.
func TestOneRecordForEachDecision(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, `
	authmin edge {
		public /health
		require metrics /metrics
		require infer POST /v1/*
	}
	reverse_proxy `+up.address())
	fp6 := digestOf(tokenInfer).Fingerprint()
	cases := []struct {
		method, path string
		fields       []string
		want         map[string]any
	}{
		{"GET", "/health?secret=" + tokenInfer, []string{asUser}, map[string]any{
			"event": "auth_failed", "decision": "refuse", "identity": "anonymous", "token": "", "fp6": "", "reason": "policy", "rule": "default deny", "level": "warn", "status": 400.0}},
		{"GET", "/health?secret=canary-infer-unknown", []string{asUser}, map[string]any{
			"event": "auth_success", "decision": "allow", "identity": "anonymous", "token": "", "fp6": "", "reason": "", "rule": "public /health", "level": "info"}},
		{"POST", "/v1/x", []string{asUser}, map[string]any{
			"event": "auth_success", "decision": "allow", "identity": "token:" + fp6, "token": "infer-user", "fp6": fp6, "reason": "", "rule": "require infer POST /v1/*", "level": "info"}},
		{"GET", "/v1/x", []string{asUser}, map[string]any{
			"event": "auth_failed", "decision": "refuse", "identity": "token:" + fp6, "token": "infer-user", "fp6": fp6, "reason": "policy", "rule": "default deny", "level": "warn", "status": 403.0}},
		{"GET", "/metrics", []string{asUser}, map[string]any{
			"event": "auth_failed", "decision": "refuse", "identity": "token:" + fp6, "token": "infer-user", "fp6": fp6, "reason": "scope", "rule": "require metrics /metrics", "level": "warn", "status": 403.0}},
		{"POST", "/v1/x", nil, map[string]any{
			"event": "auth_failed", "decision": "refuse", "identity": "anonymous", "token": "", "fp6": "", "reason": "missing", "rule": "require infer POST /v1/*", "level": "warn", "status": 401.0}},
		{"POST", "/v1/x", []string{"Authorization: Bearer nobody"}, map[string]any{
			"event": "auth_failed", "decision": "refuse", "identity": "token:" + digestOf("nobody").Fingerprint(), "token": "", "fp6": digestOf("nobody").Fingerprint(), "reason": "unknown", "rule": "require infer POST /v1/*", "level": "warn", "status": 401.0}},
		{"POST", "/v1//x", []string{asUser}, map[string]any{
			"event": "auth_failed", "decision": "refuse", "identity": "anonymous", "token": "", "fp6": "", "reason": "path", "rule": "default deny", "level": "warn", "status": 400.0}},
	}
	for i, c := range cases {
		g.ask(t, plainClient(), c.method, c.path, append(c.fields, fmt.Sprintf("X-Correlation-Id: n-%d", i), "User-Agent: test/1")...)
	}
	records := g.recordsOf(t, len(cases))
	if len(records) != len(cases) {
		t.Fatalf("%d records for %d decisions", len(records), len(cases))
	}
	last := 0.0
	for i, record := range records {
		c := cases[i]
		if seq := record["seq"].(float64); seq <= last {
			t.Errorf("record %d has sequence %v after %v", i, seq, last)
		} else {
			last = seq
		}
		path, _, _ := strings.Cut(c.path, "?")
		want := map[string]any{"logger": "authmin.audit", "msg": c.want["event"], "guard": "edge", "method": c.method, "path": path, "host": g.address,
			"remote_ip": "127.0.0.1", "client_ip": "127.0.0.1", "user_agent": "test/1", "correlation_id": fmt.Sprintf("n-%d", i)}
		for field, value := range c.want {
			want[field] = value
		}
		expectNoToken(t, record["line"].(string))
		for _, varying := range []string{"line", "ts", "time", "seq"} {
			delete(record, varying)
		}
		if diff := cmp.Diff(want, record); diff != "" {
			t.Errorf("record %d (-want +got)\n%s", i, diff)
		}
	}
}

// Whatever a client writes, a record is one line, bounded, and says what the
// gateway says; a policy with long rules does not make it longer.
func TestHostileTextCannotBreakARecord(t *testing.T) {
	long := make([]string, 200)
	for i := range long {
		long[i] = fmt.Sprintf("/%s/%d", strings.Repeat("p", 60), i)
	}
	g := serve(t, false, twoTokens, "authmin "+strings.Repeat("g", 64)+" {\n\trequire infer /\n\trequire "+
		"metrics /v1/* "+strings.Join(long, " ")+"\n}\nrespond ok")
	const forgery = `","event":"auth_success","identity":"boss","x":"`
	decided := 0
	for name, request := range map[string]string{
		"quotes":             "GET /v1/" + strings.Repeat(`"`, 6000) + " HTTP/1.1\r\nHost: " + strings.Repeat("h", 250) + "\r\nUser-Agent: " + strings.Repeat(`"`, 6000),
		"backslashes":        "GET /v1/" + strings.Repeat(`\`, 6000) + " HTTP/1.1\r\nHost: x\r\nUser-Agent: " + strings.Repeat(`\`, 6000),
		"a forged field":     "GET /v1/" + forgery + " HTTP/1.1\r\nHost: x\r\nUser-Agent: " + forgery,
		"bytes, not UTF-8":   "GET /v1/" + strings.Repeat("\xff\xfe", 3000) + " HTTP/1.1\r\nHost: x\r\nUser-Agent: " + strings.Repeat("\xff", 6000),
		"line separators":    "GET /v1/\u2028\u2029\u0085\u202e HTTP/1.1\r\nHost: x\r\nUser-Agent: a\u2028{\"level\":\"info\"}\u0085\u202e\u2066b",
		"tabs":               "GET /v1/x HTTP/1.1\r\nHost: x\r\nUser-Agent: a\t\t\tb",
		"a long method":      strings.Repeat("M", 3000) + " /v1/x HTTP/1.1\r\nHost: x\r\nUser-Agent: x",
		"encoded line ends":  "GET /v1/%0a%0d%00 HTTP/1.1\r\nHost: x\r\nUser-Agent: %0a",
		"a hostile Host":     "GET /v1/x HTTP/1.1\r\nHost: " + strings.Repeat("a!$'*", 1000) + "\r\nUser-Agent: x",
		"a foreign X-F-F":    "GET /v1/x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + strings.Repeat("9", 6000) + "\r\nUser-Agent: x",
		"the longest fields": "GET /v1/x HTTP/1.1\r\nHost: x\r\nX-Correlation-Id: " + strings.Repeat("c", 64) + "\r\nAuthorization: Bearer " + strings.Repeat("t", 8000) + "\r\nUser-Agent: x",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, g.address)
			fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", request)
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode/100 == 4 && answer.Header.Get("X-Correlation-Id") == "" {
				return // net/http refused it before any guard saw it
			}
			decided++
			records := g.recordsOf(t, decided)[decided-1:]
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			line := records[0]["line"].(string)
			if len(line) > trail.MaxRecord {
				t.Errorf("a record has %d bytes: %.300s", len(line), line)
			}
			identity := "anonymous"
			if name == "the longest fields" { // the one with a token
				identity = "token:" + digestOf(strings.Repeat("t", 8000)).Fingerprint()
			}
			if records[0]["event"] != "auth_failed" || records[0]["identity"] != identity || records[0]["x"] != nil {
				t.Errorf("forged: %s", line)
			}
			for _, r := range line {
				if r < ' ' || r == 0x7f || r == 0x85 || r == '\u2028' || r == '\u2029' || r == '\u202e' || r == '\u2066' {
					t.Errorf("%U in %.300q", r, line)
				}
			}
		})
	}
}

// A refused start leaves a record, with the address and the remedy.
func TestRefusedBindIsAudited(t *testing.T) {
	g := &gateway{address: testkit.FreeAddress(t), log: t.TempDir() + "/log"}
	config := options("\tlog {\n\t\toutput file "+g.log+"\n\t\tformat json\n\t}\n\tauthmin\n") + "http://x:8080 {\n\tauthmin edge\n}\n"
	expectRefused(t, validate(t, config), "no token is configured")
	var records []map[string]any
	testkit.Eventually(t, "the record", func() bool { records = g.records(t); return len(records) > 0 })
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if r["event"] != "startup_bind_refused" || r["level"] != "error" || r["guard"] != "edge" || r["address"] != "tcp/:8080" && r["address"] != ":8080" ||
		!strings.Contains(fmt.Sprint(r["error"]), "LLORCH_API_TOKEN") || strings.Contains(r["line"].(string), "stacktrace") {
		t.Errorf("got %s", r["line"])
	}
}
