package orchestrator

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestACallWhoseWorkerIsLostWaitsAMoment: what waits for another pool stops before its
// deadline, and for that reason; what has lost no worker has its deadline alone.
func TestACallWhoseWorkerIsLostWaitsAMoment(t *testing.T) {
	now := time.Now()
	q := newQueue(10)
	lost := waiting{id: "lost", class: Interactive, deadline: now.Add(time.Hour), patience: now.Add(otherPoolWithin)}
	q.restore(lost, true)
	q.restore(waiting{id: "other", class: Interactive, deadline: now.Add(time.Hour)}, true)
	after := now.Add(otherPoolWithin + time.Second)
	if got := q.expired(after); len(got) != 1 || got[0] != "lost" {
		t.Errorf("after %s: got %v, want lost", otherPoolWithin, got)
	}
	if !lost.abandoned(after) || lost.abandoned(now.Add(2*time.Hour)) || (waiting{deadline: now}).abandoned(now) {
		t.Error("the reason is the lost worker before the deadline, and the deadline after it")
	}
}

// TestAClientIsToldOfALostWorker: the pool manager is killed during a call, before
// its first byte, and no other pool is ready. The client is told so soon, not at the
// deadline; where a pool has the model but no slot, the call waits in the queue as before.
func TestAClientIsToldOfALostWorker(t *testing.T) {
	for name, c := range map[string]struct {
		ready bool // the pool, after the loss
		want  State
	}{
		"no pool is ready": {false, Failed},
		"a pool is full":   {true, Queued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var step atomic.Int64
			o := callTaker(t, Settings{}, func() time.Time { return time.Now().Add(time.Duration(step.Load())) })
			register := func(at string, ready bool, slots int) {
				_, err := o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
					NodeID: "n", Address: at, DispatchToken: "node-token-of-at-least-32-characters",
					Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: ready, SlotsTotal: slots, SlotsFree: slots, Workloads: nodeapi.WithProtocols(nil, nodeapi.Protocols())}},
				})
				if err != nil {
					t.Error(err)
				}
			}
			var worker *httptest.Server
			worker = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				register(worker.URL, c.ready, 0)
				panic(http.ErrAbortHandler)
			}))
			t.Cleanup(worker.Close)
			register(worker.URL, true, 1)
			a, err := o.SubmitCall(t.Context(), ci, largeCall(10))
			if err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the call is queued again", func() bool {
				o.queue.mu.Lock()
				defer o.queue.mu.Unlock()
				i := o.queue.index[a.TaskID]
				return i != nil && i.failures == 1
			})
			step.Store(int64(otherPoolWithin + time.Second))
			testkit.Eventually(t, "its patience is over", func() bool {
				o.queue.mu.Lock()
				defer o.queue.mu.Unlock()
				i := o.queue.index[a.TaskID]
				return i == nil && c.want == Failed || i != nil && i.patience.IsZero()
			})
			testkit.Eventually(t, "the call is "+string(c.want), func() bool {
				task, err := o.Task(ci, a.TaskID)
				return err == nil && task.State == c.want && (c.want == Queued || task.Error.Code == "WORKER_UNAVAILABLE")
			})
		})
	}
}
