package caddymodule

import (
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Strangers of more addresses than are told apart do not hide what is known to be the
// doing of a token's holder, nor do those of the same address.
func TestAFloodDoesNotHideAKnownToken(t *testing.T) {
	for name, d := range map[string]*decisionRecord{
		"a valid token without the scope": {event: eventRefused, reason: string(authmin.ReasonScope), token: "ci", fp6: "abcdef"},
		"a revoked token":                 {event: eventRefused, reason: string(authmin.ReasonRevoked), fp6: "abcdef"},
		"an expired token":                {event: eventRefused, reason: string(authmin.ReasonExpired), fp6: "abcdef"},
		"a token that does not count yet": {event: eventRefused, reason: string(authmin.ReasonNotYet), fp6: "abcdef"},
	} {
		log, now := new(refusalLog), time.Unix(1_000_000, 0)
		victim := &requestState{clientIP: "192.0.2.1"}
		for range 2 * recordedRefusals {
			log.hold(refusalKeyOf(victim, refusedRecord("unknown", "/")), refusedRecord("unknown", "/"), now)
		}
		if held, _ := log.hold(refusalKeyOf(victim, d), d, now); held {
			t.Errorf("%s, behind an address that floods: it has no record", name)
		}
		addr := netip.MustParseAddr("10.0.0.1")
		for range 2 * maxRefusedClients {
			log.hold(refusalKey{client: addr}, refusedRecord("unknown", "/"), now)
			addr = addr.Next()
		}
		elsewhere := &requestState{clientIP: "192.0.2.77"}
		if held, _ := log.hold(refusalKeyOf(elsewhere, d), d, now); held {
			t.Errorf("%s, in a flood of addresses: it has no record", name)
		}
		if n := len(log.clients); n > maxRefusedClients+3 {
			t.Errorf("%s: %d clients are told apart", name, n)
		}
	}
}

// What a public route lets in costs as little as a refusal.
func TestPublicRequestsOfOneClientShareARecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	g := serve(t, false, auditing("audit file "+path), guarded+"respond ok")
	client := plainClient()
	const asked = recordedPublic + 40
	for i := range asked {
		answer, err := client.Get(fmt.Sprintf("%s/health?%d", g.base, i))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("request %d: got %d", i, answer.StatusCode)
		}
	}
	statusOf(t, g, "/v1/x", asUser)
	g.load(t, auditing("audit stderr"), "respond ok") // the file's last configuration ends
	single, together, named := 0, 0.0, 0
	for _, r := range auditLines(t, path) {
		switch {
		case r["decision"] != decisionAllow:
		case r["token"] != "":
			named++
		case r["count"] != nil:
			together += r["count"].(float64)
		default:
			single++
		}
	}
	if single != recordedPublic || together != 40 || named != 1 {
		t.Errorf("got %d records, %v counted and %d of the token, want %d, 40 and 1", single, together, named, recordedPublic)
	}
}

// From however many addresses: the records of public requests are bounded.
func TestPublicRequestsOfManyClientsAreBounded(t *testing.T) {
	log, now := &refusalLog{each: recordedPublic, inAll: recordedPublicInAll}, time.Unix(1_000_000, 0)
	for _, minute := range []time.Duration{0, refusalWindow} {
		addr, alone := netip.MustParseAddr("10.0.0.1"), 0
		for range 200 {
			for range recordedPublic {
				if held, _ := log.hold(refusalKey{client: addr}, &decisionRecord{event: eventAllowed}, now.Add(minute)); !held {
					alone++
				}
			}
			addr = addr.Next()
		}
		if alone != recordedPublicInAll {
			t.Errorf("after %v: %d records one by one, want %d", minute, alone, recordedPublicInAll)
		}
	}
}

// Lockouts, too, are the doing of strangers.
func TestLockoutsBeyondTheirNumberShareARecord(t *testing.T) {
	count, now := new(eventCount), time.Unix(1_000_000, 0)
	alone := 0
	for range 3 * recordedLockouts {
		if held, due := count.hold(now); !held {
			alone++
		} else if due != 0 {
			t.Fatalf("%d are due within the minute", due)
		}
	}
	if due := count.expired(now.Add(refusalWindow-1), false); alone != recordedLockouts || due != 0 {
		t.Errorf("got %d records and %d due, want %d and none", alone, due, recordedLockouts)
	}
	if due := count.expired(now.Add(refusalWindow), false); due != 2*recordedLockouts {
		t.Errorf("after the minute: %d are due, want %d", due, 2*recordedLockouts)
	}
	if held, due := count.hold(now.Add(refusalWindow)); held || due != 0 {
		t.Errorf("the next minute: held %v, due %d", held, due)
	}
}

func TestTheReserveIsNotForLockouts(t *testing.T) {
	for event, want := range map[string]bool{eventLockoutStart: true, eventLockoutEnd: true, eventRevoked: false, eventStreamTerminated: false, eventConfigLoaded: false} {
		if got := isExpendable(event); got != want {
			t.Errorf("%s: a stranger's %v, want %v", event, got, want)
		}
	}
}
