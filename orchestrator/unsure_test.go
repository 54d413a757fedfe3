package orchestrator

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/client"
)

// TestADispatchThatShowedNothingIsPutBack takes the store away while the pool says
// that it has no slot: the task goes back to the queue, whatever the disk says of it.
func TestADispatchThatShowedNothingIsPutBack(t *testing.T) {
	for name, heard := range map[string]bool{"and what was written before is known": true, "and what was written before was not heard of": false} {
		t.Run(name, func(t *testing.T) {
			o, st, cut, called, goOn := detachable(t)
			close(goOn)
			o.placing.Lock() // the first dispatch is played
			e := o.find(ci, waitingTask(t, o))
			a := played(t, o)
			cut(!heard)
			if err := a.write(t.Context(), true); errors.Is(err, store.ErrUnavailable) == heard {
				t.Fatalf("writing that it runs: %v", err)
			}
			if !heard {
				land(t, st, a)
			}
			cut(true)
			busy := &client.StatusError{Status: http.StatusTooManyRequests}
			a.l.release(busy)
			time.AfterFunc(time.Second, func() { cut(false) })
			a.settle(client.Event{}, busy, nil)
			o.placing.Unlock()
			select {
			case <-e.waitEnd():
			case <-time.After(10 * time.Second):
				t.Fatal("the task does not end")
			}
			if task := e.view(); task.State != Completed || task.Attempt != 2 || len(called) != 1 {
				t.Errorf("got %s (%v) at attempt %d after %d dispatches, want it completed by the next one", task.State, task.Error, task.Attempt, len(called))
			}
		})
	}
}

// played begins a dispatch of the task that waits, of which its pool hears nothing.
func played(t *testing.T, o *Orchestrator) *attempt {
	t.Helper()
	w, ok := o.queue.next(o.now(), nil)
	l := o.nodes.acquire(Candidate{NodeID: "n", PoolID: "p"})
	if !ok || l == nil {
		t.Fatal("nothing waits, or there is no node")
	}
	a := o.assign(w, l)
	if err := a.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// land does in the store what the dispatch wants to have written.
func land(t *testing.T, st *store.Store, a *attempt) {
	t.Helper()
	stored, err := st.Bucket(store.Tasks).Get(t.Context(), a.e.id)
	if err != nil {
		t.Fatal(err)
	}
	r := record{Task: a.e.view(), Request: a.request}
	r.mayShow = true
	value, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Bucket(store.Tasks).Update(t.Context(), a.e.id, value, stored.Revision); err != nil {
		t.Fatal(err)
	}
}
