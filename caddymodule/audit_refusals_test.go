package caddymodule

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func refusedRecord(reason, path string) *decisionRecord {
	return &decisionRecord{event: eventRefused, decision: decisionRefuse, reason: reason, path: path, clientIP: "192.0.2.1", remote: clientA}
}

func TestRefusalsBeyondTwentyAMinuteAreCounted(t *testing.T) {
	log, now := new(refusalLog), time.Unix(1_000_000, 0)
	key := refusalKey{client: clientA}
	for i := range 100 {
		reason := "missing"
		if i%4 == 0 {
			reason = "unknown"
		}
		held, due := log.hold(key, refusedRecord(reason, "/last"), now.Add(time.Duration(i)*time.Millisecond))
		if held != (i >= recordedRefusals) || due != nil {
			t.Fatalf("refusal %d: held %v, due %v", i+1, held, due)
		}
	}
	if held, _ := log.hold(refusalKey{client: clientB}, refusedRecord("missing", "/"), now); held {
		t.Error("another client's first refusal is held")
	}
	if held, _ := log.hold(refusalKey{client: clientA, token: "ci"}, refusedRecord("scope", "/"), now); held {
		t.Error("the first refusal of a valid token of the same client is held")
	}
	if due := log.expired(now.Add(refusalWindow-1), false); len(due) != 0 {
		t.Errorf("within the minute: %d records are due", len(due))
	}
	due := log.expired(now.Add(refusalWindow), false)
	if len(due) != 1 || len(log.clients) != 0 {
		t.Fatalf("after the minute: %d records, %d clients left, want 1 and none", len(due), len(log.clients))
	}
	if d := due[0]; d.count != 80 || d.reasons != "missing=60 unknown=20" || !d.since.Equal(now) || d.path != "/last" || d.clientIP != "192.0.2.1" {
		t.Errorf("got count %d, reasons %q, since %v, path %q", d.count, d.reasons, d.since, d.path)
	}
}

// A window that nothing has looked at ends with the next refusal.
func TestTheNextMinuteIsCountedAnew(t *testing.T) {
	log, now := new(refusalLog), time.Unix(1_000_000, 0)
	key := refusalKey{client: clientA}
	for range recordedRefusals + 5 {
		log.hold(key, refusedRecord("missing", "/"), now)
	}
	held, due := log.hold(key, refusedRecord("missing", "/"), now.Add(refusalWindow))
	if held || due == nil || due.count != 5 {
		t.Errorf("got held %v, due %+v, want a record of 5 and a new count", held, due)
	}
	if due := log.expired(now, true); len(due) != 0 {
		t.Errorf("one refusal of the new minute: %d records are due", len(due))
	}
}

// A flood from more clients than are told apart writes a bounded number of records.
func TestAFloodOfClientsIsBounded(t *testing.T) {
	log, now := new(refusalLog), time.Unix(1_000_000, 0)
	const clients, each = 5 * maxRefusedClients, 30
	recorded, addr := 0, netip.MustParseAddr("10.0.0.1")
	for range clients {
		for range each {
			if held, _ := log.hold(refusalKey{client: addr}, refusedRecord("missing", "/"), now); !held {
				recorded++
			}
		}
		addr = addr.Next()
	}
	due := log.expired(now.Add(refusalWindow), false)
	counted := 0
	others := 0
	for _, d := range due {
		counted += d.count
		if d.clientIP == othersAddress && !d.remote.IsValid() {
			others++
		}
	}
	if most := (maxRefusedClients + 1) * (recordedRefusals + 1); recorded+len(due) > most {
		t.Errorf("%d records, want at most %d", recorded+len(due), most)
	}
	if recorded+counted != clients*each || others != 1 {
		t.Errorf("%d recorded and %d counted, with %d records of others; want %d in all, and 1", recorded, counted, others, clients*each)
	}
}

// At the gate: one client, many refusals, and what is allowed in between is recorded
// each time. What is counted is written at the latest when the gateway stops.
func TestOneClientsRefusalsShareARecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	for _, shadow := range []string{"", "\t\tshadow\n"} {
		g := serve(t, false, auditing("lockout off\naudit file "+path), strings.Replace(guarded, "authmin edge {\n", "authmin edge {\n"+shadow, 1)+"respond ok")
		want := decisionRefuse
		if shadow != "" {
			want = decisionWouldDeny
		}
		before := len(auditLines(t, path))
		for i := range 60 {
			fields := []string{"Authorization: Bearer wrong"}
			if i%2 == 0 {
				fields = nil
			}
			statusOf(t, g, "/v1/x", fields...)
			if i%20 == 0 {
				statusOf(t, g, "/v1/x", asUser)
			}
		}
		g.load(t, auditing("lockout off\naudit stderr"), "respond ok") // the file's last configuration ends
		var single, allowed int
		var together map[string]any
		for _, r := range auditLines(t, path)[before:] {
			switch {
			case r["decision"] == decisionAllow:
				allowed++
			case r["decision"] == want && r["count"] != nil:
				together = r
			case r["decision"] == want:
				single++
			}
		}
		if single != recordedRefusals || allowed != 3 {
			t.Errorf("%q: %d refusals and %d allowed have a record, want %d and 3", shadow, single, allowed, recordedRefusals)
		}
		if together == nil || together["count"] != 40.0 || together["reasons"] != "missing=20 unknown=20" ||
			together["event"] != eventRefused || together["client_ip"] != "127.0.0.1" || together["since"] == nil {
			t.Errorf("%q: the record of the others is %v", shadow, together)
		}
	}
}
