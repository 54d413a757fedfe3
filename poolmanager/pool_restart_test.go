package poolmanager

import (
	"testing"
	"time"
)

func TestRestartsBackOffAndTheBreakerOpens(t *testing.T) {
	policy, now := newRestartPolicy(restartFirst), time.Unix(1_000_000, 0)
	for i, want := range []time.Duration{1, 2, 4, 8} {
		want *= time.Second
		if got := policy.failed(now); got < want*9/10 || got > want*11/10 {
			t.Errorf("failure %d: got %v, want %v ±10 %%", i+1, got, want)
		}
		now = now.Add(10 * time.Second)
	}
	if got := policy.failed(now); got != breakerWindow || policy.state != breakerOpen {
		t.Errorf("the fifth failure: got %v, state %d, want the breaker open for %v", got, policy.state, breakerWindow)
	}
	policy.starting()
	if policy.state != breakerHalfOpen {
		t.Errorf("at the try: state %d, want half-open", policy.state)
	}
	if got := policy.failed(now.Add(breakerWindow)); got != breakerWindow {
		t.Errorf("a failed try: got %v, want %v", got, breakerWindow)
	}
	policy.starting()
	policy.healthy()
	if got := policy.failed(now.Add(time.Hour)); got > 2*restartFirst || policy.state != breakerClosed {
		t.Errorf("after health: got %v, state %d", got, policy.state)
	}
}

func TestOldFailuresDoNotCount(t *testing.T) {
	policy, now := newRestartPolicy(restartFirst), time.Unix(1_000_000, 0)
	for range 20 {
		if got := policy.failed(now); got > restartLongest*11/10 {
			t.Fatalf("got %v, want at most %v", got, restartLongest)
		}
		now = now.Add(breakerWindow / 4)
	}
}

func TestTheTableOfTransitionsIsClosed(t *testing.T) {
	all := []State{StateStopped, StateStarting, StateReady, StateDraining, StateStopping, StateFailed}
	if len(moves) != len(all) {
		t.Errorf("the table has %d states, want %d", len(moves), len(all))
	}
	for _, from := range all {
		if len(moves[from]) == 0 {
			t.Errorf("%s is a dead end", from)
		}
		if from.mayBecome(from) {
			t.Errorf("%s may become itself", from)
		}
	}
	for _, bad := range [][2]State{{StateStopped, StateReady}, {StateReady, StateStarting}, {StateStopping, StateReady}, {StateFailed, StateReady}, {StateDraining, StateReady}} {
		if bad[0].mayBecome(bad[1]) {
			t.Errorf("%s may become %s", bad[0], bad[1])
		}
	}
}
