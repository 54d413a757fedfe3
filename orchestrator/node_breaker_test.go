package orchestrator

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestTheBreakerOpensPausesAndProbesOnce(t *testing.T) {
	now := time.Unix(0, 0)
	var b breaker
	for i := range breakerFailures {
		if b.blocks(now) {
			t.Fatalf("open after %d failures", i)
		}
		b.begin()
		b.fail(now)
	}
	if !b.blocks(now) || !b.blocks(now.Add(breakerPause-1)) {
		t.Error("not open for its pause")
	}
	now = now.Add(breakerPause)
	if b.blocks(now) {
		t.Error("no probe after the pause")
	}
	b.begin()
	if !b.blocks(now) {
		t.Error("a second task during the probe")
	}
	b.fail(now)
	if !b.blocks(now) {
		t.Error("closed by a failed probe")
	}
	b.begin()
	b.succeed()
	if b.blocks(now) {
		t.Error("still open after a success")
	}
}

func TestOnlyTheNodesOwnFaultTripsItsBreaker(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"success":         {nil, 0},
		"connection lost": {errors.New("reset"), 1},
		"500":             {&nodeapi.StatusError{Status: 500}, 1},
		"401":             {&nodeapi.StatusError{Status: 401}, 0},
		"403":             {&nodeapi.StatusError{Status: 403}, 0},
		"429":             {&nodeapi.StatusError{Status: 429}, 0},
		"503":             {&nodeapi.StatusError{Status: 503}, 0},
		"a busy engine":   {&busyEngine{}, 0},
		"502":             {&nodeapi.StatusError{Status: 502}, 1},
		"409":             {&nodeapi.StatusError{Status: 409}, 0},
		"our own reasons": {errNotTheNode, 0},
		"our own body":    {fmt.Errorf("calling: %w", errBodyLost), 0},
	} {
		ns := &nodes{now: time.Now}
		n := &node{running: map[string]int{"p": 1}, busy: map[string]pause{}}
		(&slot{ns: ns, n: n, poolID: "p"}).release(c.err)
		if n.breaker.failures != c.want || len(n.running) != 0 {
			t.Errorf("%s: got %d failures, %v, want %d and no running task", name, n.breaker.failures, n.running, c.want)
		}
	}
}
