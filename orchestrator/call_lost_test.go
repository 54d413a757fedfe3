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
// deadline; where a pool has the model but no slot, the call waits in the queue as before,
// and so does a call whose answer is kept.
func TestAClientIsToldOfALostWorker(t *testing.T) {
	for name, c := range map[string]struct {
		ready bool   // the pool, after the loss
		key   string // the call's Idempotency-Key
		want  State
	}{
		"no pool is ready":   {false, "", Failed},
		"a pool is full":     {true, "", Queued},
		"its answer is kept": {false, "k", Queued},
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
			call := largeCall(10)
			call.Key = c.key
			a, err := o.SubmitCall(t.Context(), ci, call)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the call is queued again", func() bool {
				o.queue.mu.Lock()
				defer o.queue.mu.Unlock()
				i := o.queue.index[a.TaskID]
				return i != nil && i.failures == 1
			})
			over := time.Now().Add(otherPoolWithin + time.Second)
			if got := expires(o, a.TaskID, over); got != (c.key == "") {
				t.Errorf("after %s its wait is over: %t, want %t", otherPoolWithin, got, c.key == "")
			}
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

// expires reports whether the waiting task stops to wait before that time.
func expires(o *Orchestrator, id string, at time.Time) bool {
	o.queue.mu.Lock()
	defer o.queue.mu.Unlock()
	i := o.queue.index[id]
	return i != nil && !i.ends().After(at)
}

// TestOnlyACallThatIsWaitedForGivesUpEarly: a call without a key is for its client, who has a
// time-out; a kept one and a task of /v2 may fail as often as every other task.
func TestOnlyACallThatIsWaitedForGivesUpEarly(t *testing.T) {
	for name, c := range map[string]struct {
		r    TaskRequest
		want int
	}{
		"a call":       {TaskRequest{Workload: Native}, 2},
		"a kept call":  {TaskRequest{Workload: Native, content: content{Keep: true}}, maxFailures},
		"a completion": {TaskRequest{Workload: Completion}, maxFailures},
	} {
		if got := (&attempt{request: &c.r}).mostFailures(); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
