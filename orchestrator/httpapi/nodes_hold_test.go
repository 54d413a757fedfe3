package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestTheAnswerToAHeartbeatIsHeldBack until the orchestrator stops, or the answer to a later
// heartbeat of the node is held back. The heartbeat counts when it comes.
func TestTheAnswerToAHeartbeatIsHeldBack(t *testing.T) {
	s := serve(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*within)
	defer cancel()
	register := `{"node_id":"n","machine_id":"m","address":"http://127.0.0.1:1","version":"1","dispatch_token":"node-token-of-at-least-32-characters",
		"pools":[],"capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1}}`
	if got := s.send(ctx, "POST", "/v2/nodes/register", register); got.StatusCode != http.StatusOK {
		t.Fatalf("registering: %s", got.Status)
	}
	beat := func(prefer string) nodeapi.HeartbeatResponse {
		body, err := json.Marshal(nodeapi.HeartbeatRequest{Timestamp: time.Now(), Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}}})
		if err != nil {
			t.Error(err)
		}
		var answer nodeapi.HeartbeatResponse
		res := s.send(ctx, "POST", "/v2/nodes/n/heartbeat", string(body), "Prefer", prefer)
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %v", res.Status, err)
		}
		return answer
	}
	for _, prefer := range []string{"", "respond-async", "wait=", "wait=-1", "wait=0"} {
		if got := beat(prefer); got.NextHeartbeatMS != 10_000 {
			t.Errorf("Prefer: %q: the next one after %d ms", prefer, got.NextHeartbeatMS)
		}
	}
	before := s.o.Nodes()[0].LastHeartbeat
	held := make(chan nodeapi.HeartbeatResponse, 1)
	go func(held chan<- nodeapi.HeartbeatResponse) { held <- beat("wait=9") }(held)
	testkit.Eventually(t, "the heartbeat has come", func() bool { return s.o.Nodes()[0].LastHeartbeat.After(before) })
	for range 10 { // the answer would be there by now
		s.send(ctx, "GET", "/v2/nodes", "")
	}
	select {
	case <-held:
		t.Error("it was answered at once")
	default:
	}
	first := held
	held = make(chan nodeapi.HeartbeatResponse, 1)
	go func() { held <- beat("wait=9") }()
	select {
	case got := <-first:
		if got.NextHeartbeatMS != 10_000 {
			t.Errorf("when a later one is held back, the next one after %d ms", got.NextHeartbeatMS)
		}
	case <-time.After(5 * time.Second):
		t.Error("two are held back for one node")
	}
	if err := s.o.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-held:
		if got.NextHeartbeatMS != 1000 {
			t.Errorf("at a stop, the next one after %d ms", got.NextHeartbeatMS)
		}
	case <-time.After(5 * time.Second):
		t.Error("it is held back when the orchestrator stops")
	}
}
