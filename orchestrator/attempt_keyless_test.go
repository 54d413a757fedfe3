package orchestrator

import (
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestATaskWithoutItsKeyFails: no further dispatch could read its request.
func TestATaskWithoutItsKeyFails(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	a, err := o.SubmitCall(t.Context(), ci, largeCall(10))
	if err != nil {
		t.Fatal(err)
	}
	e := o.found(ci, a.TaskID)
	if err := o.store.Keys().Destroy(t.Context(), e.view().content.Key); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	e.request = nil // as after a restart: only its record has it
	e.mu.Unlock()
	_, err = o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: "http://127.0.0.1:9", DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: true, SlotsTotal: 1, SlotsFree: 1, Workloads: nodeapi.WithProtocols(nil, nodeapi.Protocols())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the task fails", func() bool { return e.view().State == Failed })
	if failed := e.view().Error; failed.Code != "CONTENT_LOST" {
		t.Errorf("got %+v, want CONTENT_LOST", failed)
	}
	o.nodes.mu.Lock()
	defer o.nodes.mu.Unlock()
	if used := o.nodes.byID["n"].running; len(used) != 0 {
		t.Errorf("after the failure slots are in use: %v", used)
	}
}
