package caddymodule

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/llorch/gateway/integration/testkit"
)

// auditing is a global block with the tests' tokens and these audit options.
func auditing(lines ...string) string {
	return strings.TrimSuffix(twoTokens, "\t}\n") + strings.Join(lines, "\n") + "\n\t}\n"
}

// chainKeyFile writes the key of these tests' chains.
func chainKeyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	writeFile(t, path, chainKey.Reveal()+"\n", 0o600)
	return path
}

// spoil makes an audit file unwritable for everybody, root too; mend mends it.
func spoil(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func mend(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// afterStart leaves out the record of the configuration.
func afterStart(records []map[string]any) []map[string]any {
	return slices.DeleteFunc(records, func(r map[string]any) bool { return r["event"] == eventConfigLoaded })
}

// auditLines are the records of an audit file.
func auditLines(t *testing.T, path string) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(contentOf(t, path)) {
		expectNoToken(t, line)
		record := map[string]any{}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		records = append(records, record)
	}
	return records
}

const guarded = `
	authmin edge {
		public /health
		require infer /v1/*
	}
`

func statusOf(t *testing.T, g *gateway, path string, fields ...string) int {
	t.Helper()
	answer, body := g.ask(t, plainClient(), "GET", path, fields...)
	if answer.StatusCode == http.StatusServiceUnavailable {
		if answer.Header.Get("Retry-After") != "2" || !strings.Contains(body, `"code":"AUDIT_UNAVAILABLE"`) || !strings.Contains(body, `"code_number":50301`) {
			t.Errorf("refused with Retry-After %q and %s", answer.Header.Get("Retry-After"), body)
		}
	}
	return answer.StatusCode
}

func TestARequestIsForwardedOnlyWithARecord(t *testing.T) {
	up := newUpstream(t, nil)
	path := filepath.Join(t.TempDir(), "audit")
	g := serve(t, false, auditing("audit file "+path+" {\nchain "+chainKeyFile(t)+"\nrequired\n}"), guarded+"reverse_proxy "+up.address())
	if got := statusOf(t, g, "/v1/x", asUser); got != 200 {
		t.Fatalf("got %d", got)
	}
	records := afterStart(auditLines(t, path)) // there before the answer
	if len(records) != 2 || records[0]["event"] != trail.EventOpened || records[1]["event"] != eventAllowed || records[1]["token"] != "infer-user" {
		t.Errorf("got %v", records)
	}
	up.last()
	spoil(t, path)
	for _, fields := range [][]string{{asUser}, {asBoss}, {"Authorization: Bearer nobody"}, nil} {
		if got := statusOf(t, g, "/v1/x", fields...); got != 503 {
			t.Errorf("%q without a record: got %d, want 503", fields, got)
		}
	}
	if up.last() != nil {
		t.Error("the upstream got a request that is not on record")
	}
	if got := statusOf(t, g, "/health"); got != 200 {
		t.Errorf("the public route: got %d, want 200", got)
	}
	mend(t, path)
	testkit.Eventually(t, "requests to be served again", func() bool { return statusOf(t, g, "/v1/x", asUser) == 200 })
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	records = auditLines(t, path)
	if records[0]["event"] != trail.EventOpened || records[1]["event"] != trail.EventGap || records[1]["lost"].(float64) < 5 {
		t.Errorf("got %v and %v, want the opening and the gap", records[0], records[1])
	}
	expectWhole(t, path)
}

func TestOneOfTheRequiredSinksIsEnough(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	g := serve(t, false, auditing("audit file "+first+" {\nrequired\n}", "audit file "+second+" {\nrequired\n}", "audit file "+filepath.Join(dir, "third")), guarded+"respond ok")
	for _, c := range []struct {
		spoil string
		want  int
	}{{"", 200}, {first, 200}, {second, 503}} {
		if c.spoil != "" {
			spoil(t, c.spoil)
		}
		if got := statusOf(t, g, "/v1/x", asUser); got != c.want {
			t.Errorf("after %q: got %d, want %d", c.spoil, got, c.want)
		}
	}
	mend(t, first)
	testkit.Eventually(t, "requests to be served again", func() bool { return statusOf(t, g, "/v1/x", asUser) == 200 })
}

// A full disk and a collector that is not there: the gateway starts, refuses what it
// cannot put on record, and serves as soon as one of the two can be written.
func TestNoRequiredSinkCanBeWrittenAtTheStart(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Fatal(err)
	}
	collector := filepath.Join(t.TempDir(), "collector")
	g := serve(t, false, auditing("audit file /dev/full {\nrequired\n}", "audit syslog unix "+collector+" {\nrequired\n}"), guarded+"respond ok")
	for _, fields := range [][]string{{asUser}, nil} {
		if got := statusOf(t, g, "/v1/x", fields...); got != 503 {
			t.Errorf("%q without a record: got %d, want 503", fields, got)
		}
	}
	if got := statusOf(t, g, "/health"); got != 200 {
		t.Errorf("the public route: got %d, want 200", got)
	}
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode().Perm() == 0o600 {
		t.Errorf("the device's mode is ours: %v, %v", info.Mode(), err)
	}
	conn, err := net.ListenPacket("unixgram", collector)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testkit.Eventually(t, "requests to be served", func() bool { return statusOf(t, g, "/v1/x", asUser) == 200 })
}

// A sink that is not required may fail; the others have every record.
func TestAFailingSinkDoesNotStopTheOthers(t *testing.T) {
	collector, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	dir := t.TempDir()
	broken, whole := filepath.Join(dir, "broken"), filepath.Join(dir, "whole")
	g := serve(t, false, auditing("audit file "+broken, "audit syslog udp "+collector.LocalAddr().String(), "audit syslog tcp "+testkit.FreeAddress(t), "audit caddy", "audit file "+whole), guarded+"respond ok")
	spoil(t, broken)
	const requests = 20
	for range requests {
		if got := statusOf(t, g, "/v1/x", asUser); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	numbers := map[string][]float64{}
	add := func(sink string, record map[string]any) {
		if record["event"] == eventAllowed {
			numbers[sink] = append(numbers[sink], record["seq"].(float64))
		}
	}
	for _, record := range auditLines(t, whole) {
		add("file", record)
	}
	for _, record := range g.records(t) {
		add("caddy", record)
	}
	buf := make([]byte, 2*trail.MaxRecord)
	for len(numbers["syslog"]) < requests {
		n, _, err := collector.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		_, message, _ := strings.Cut(string(buf[:n]), " - ")
		record := map[string]any{}
		if err := json.Unmarshal([]byte(message), &record); err != nil {
			t.Fatal(err)
		}
		add("syslog", record)
	}
	if len(numbers["file"]) != requests || fmt.Sprint(numbers["file"]) != fmt.Sprint(numbers["caddy"]) || fmt.Sprint(numbers["file"]) != fmt.Sprint(numbers["syslog"]) {
		t.Errorf("the sinks differ: %v", numbers)
	}
}
