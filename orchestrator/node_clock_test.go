package orchestrator

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestANodeIsHeardAfterTheClocksWereSetBack: its last heartbeat has a later time
// than the next hour can have. A heartbeat that comes twice is still refused.
func TestANodeIsHeardAfterTheClocksWereSetBack(t *testing.T) {
	var step atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
	o := newWith(t, Config{Store: openStore(t), Now: clock})
	now := clock()
	beat := func(at time.Time) error {
		_, err := o.Heartbeat(Who{Identity: "n"}, "n", nodeapi.HeartbeatRequest{Timestamp: at, Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}}})
		return err
	}
	if err := beat(now); err != nil {
		t.Fatal(err)
	}
	if err := beat(now.Add(-time.Second)); err == nil {
		t.Error("an older heartbeat is taken")
	}
	step.Store(int64(-time.Hour))
	now = clock()
	if err := beat(now); err != nil {
		t.Errorf("after the clocks were set back: %v", err)
	}
	if err := beat(now); err == nil {
		t.Error("a heartbeat is taken twice")
	}
}
