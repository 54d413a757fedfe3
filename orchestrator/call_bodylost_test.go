package orchestrator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// newCallNode registers a node that answers each call with a chat that streams, and gives
// what it streams.
func newCallNode(t *testing.T, o *Orchestrator) string {
	t.Helper()
	const first, last = "data: {\"choices\":[]}\n\n", "data: [DONE]\n\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // the call was ended
		}
		w.Header().Set("Content-Type", nodeapi.CallContentType)
		out, err := nodeapi.AppendJSONFrame(nil, nodeapi.FrameHead, nodeapi.CallHead{Status: 200, ContentType: "text/event-stream"})
		if err == nil {
			out, err = nodeapi.AppendFrame(out, nodeapi.FrameData, []byte(first))
		}
		if err == nil {
			out, err = nodeapi.AppendFrame(out, nodeapi.FrameLast, []byte(last))
		}
		if err == nil {
			out, err = nodeapi.AppendJSONFrame(out, nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
		}
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(out)
	}))
	t.Cleanup(server.Close)
	_, err := o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: server.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: true, SlotsTotal: 1, SlotsFree: 1, Workloads: nodeapi.WithProtocols(nil, nodeapi.Protocols())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return first + last
}

// failuresOf is what the breaker of a node counts.
func failuresOf(o *Orchestrator, node string) int {
	o.nodes.mu.Lock()
	defer o.nodes.mu.Unlock()
	return o.nodes.byID[node].breaker.failures
}

// TestALostBodyIsNoFaultOfTheNode: the call fails, once, and says why.
func TestALostBodyIsNoFaultOfTheNode(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	a, err := o.SubmitCall(t.Context(), ci, largeCall(3*pieceBytes))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range bodiesOf(t, o) {
		if err := o.store.Content().Forget(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	e := o.found(ci, a.TaskID)
	newCallNode(t, o)
	testkit.Eventually(t, "the task fails", func() bool { return e.view().State == Failed })
	if task := e.view(); task.Error.Code != "CONTENT_LOST" || task.Attempt != 1 {
		t.Errorf("got %+v in attempt %d, want CONTENT_LOST in the first", task.Error, task.Attempt)
	}
	if n := failuresOf(o, "n"); n != 0 {
		t.Errorf("the node's breaker counts %d failures, want none", n)
	}
}

// TestABodyThatCannotBeReadNowIsReadAgain, as while replicas elect a leader. Neither the
// node nor the task's attempts count it: more of them failed than a node may cost.
func TestABodyThatCannotBeReadNowIsReadAgain(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	a, err := o.SubmitCall(t.Context(), ci, largeCall(3*pieceBytes))
	if err != nil {
		t.Fatal(err)
	}
	e := o.found(ci, a.TaskID)
	o.seals = newSealer(o.store.Keys()) // it keeps no key: each attempt asks the store
	o.seals.on.Store(true)
	const failing = 4
	left := unreadable(o, failing)
	newCallNode(t, o)
	testkit.Eventually(t, "the task ends", func() bool { return e.view().State.Ended() })
	if task := e.view(); task.State != Completed || task.Attempt != failing+1 {
		t.Errorf("got %s, %+v in attempt %d, want it completed in attempt %d", task.State, task.Error, task.Attempt, failing+1)
	}
	if left.Load() >= 0 {
		t.Errorf("%d reads were to fail still", left.Load())
	}
	if n := failuresOf(o, "n"); n != 0 {
		t.Errorf("the node's breaker counts %d failures, want none", n)
	}
}
