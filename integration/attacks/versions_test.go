package attacks_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// versions are the others beside HTTP/1.1.
var versions = map[string]speaker{"HTTP/2": speakHTTP2, "HTTP/3": speakHTTP3}

// TestAttacksOnOtherVersions says the raw cases in HTTP/2 and HTTP/3 and wants
// the same answers.
func TestAttacksOnOtherVersions(t *testing.T) {
	t.Parallel()
	to := startSecureGateway(t)
	certified(t, to)
	for version, speak := range versions {
		t.Run(version, func(t *testing.T) {
			said, unsaid := attackIn(t, to, speak)
			t.Logf("%s: %d of the raw cases run", version, said)
			for _, why := range slices.Sorted(maps.Keys(unsaid)) {
				t.Logf("%s: %d cannot be said: %s: %v", version, len(unsaid[why]), why, unsaid[why])
			}
			// The number of cases that can be translated is constant; fewer are a broken translation.
			const least = 190
			if said < least {
				t.Errorf("%d cases run, want at least %d", said, least)
			}
		})
	}
}

// certified waits until both listeners have their certificate.
func certified(t *testing.T, to target) {
	t.Helper()
	for _, address := range []string{to.pub, to.loop} {
		testkit.Within(t, waitForStart, "a certificate", func() error {
			conn, err := tls.Dial("tcp", address, clientTLS("h2"))
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
}

// attackIn carries out the cases, and judges none before all are over.
func attackIn(t *testing.T, to target, speak speaker) (said int, unsaid map[string][]string) {
	t.Helper()
	type exchanged struct {
		testCase
		expect    expect
		wire      []byte
		responses []response
		peer      string
	}
	var all []exchanged
	unsaid = map[string][]string{}
	for _, c := range rawCases(t, corpusFile, moreFile) {
		address := to.pub
		if c.Target == "loop" {
			address = to.loop
		}
		m, wire, why := translate(t, c, address)
		if why != "" {
			unsaid[why] = append(unsaid[why], c.ID)
			continue
		}
		responses, peer, err := speak(t, address, m)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		all = append(all, exchanged{c, m.expectation(c.Expect), wire, responses, peer})
	}
	for _, e := range all {
		t.Run(e.ID, func(t *testing.T) {
			got := outcomeOf(e.wire, flat(e.responses), e.responses, to.upstream.requestsOf(e.peer))
			for _, wrong := range judge(e.expect, got) {
				t.Errorf("%s (%s): %s", e.Title, e.Severity, wrong)
			}
			if t.Failed() {
				t.Logf("said %.300q\ngot %.600q", got.wire, got.raw)
			}
		})
	}
	return len(all), unsaid
}

// flat is an answer as text, to search in.
func flat(responses []response) (text []byte) {
	for _, r := range responses {
		text = fmt.Appendf(text, "%d %v %s\n", r.status, r.header, r.body)
	}
	return text
}

// TestATimeoutIsNoRefusal: no answer at all does not count as a refusal.
func TestATimeoutIsNoRefusal(t *testing.T) {
	got := outcomeOf(nil, nil, nil, 0)
	if wrong := judge(expect{Status: []int{400}}, got); len(wrong) != 1 {
		t.Errorf("judged %q, want one complaint", wrong)
	}
	if totalWait < time.Second {
		t.Errorf("waits %v for an answer, want at least a second", totalWait)
	}
}
