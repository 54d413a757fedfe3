package orchestrator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
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
	const failing = 4
	var failed atomic.Int64
	o.seals.key = func(ctx context.Context, name string) ([]byte, error) {
		attempt := int64(0)
		for begun := time.Now(); time.Since(begun) < time.Second; { // no Lock: a writer of events holds a lock that comes after this one
			if e.mu.TryLock() {
				attempt = int64(e.task.Attempt) // its first read is that of the body
				e.mu.Mutex.Unlock()
				break
			}
			runtime.Gosched()
		}
		if before := failed.Load(); attempt <= failing && attempt > before && failed.CompareAndSwap(before, attempt) {
			return nil, fmt.Errorf("reading key: %w", store.ErrUnavailable)
		}
		return o.store.Keys().Key(ctx, name)
	}
	newCallNode(t, o)
	testkit.Eventually(t, "the task ends", func() bool { return e.view().State.Ended() })
	if task := e.view(); task.State != Completed {
		t.Errorf("got %s, %+v in attempt %d, want it completed", task.State, task.Error, task.Attempt)
	}
	if failed.Load() == 0 { // fewer than failing where a writer of events has read the key in between: it is kept then
		t.Error("no attempt failed to read the body")
	}
	if n := failuresOf(o, "n"); n != 0 {
		t.Errorf("the node's breaker counts %d failures, want none", n)
	}
}
