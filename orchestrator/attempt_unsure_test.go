package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestADispatchThatShowedNothingIsPutBack takes the store away while the pool says
// that it has no slot: the task goes back to the queue, whatever the disk says of it.
func TestADispatchThatShowedNothingIsPutBack(t *testing.T) {
	for name, heard := range map[string]bool{"and what was written before is known": true, "and what was written before was not heard of": false} {
		t.Run(name, func(t *testing.T) {
			o, st, cut, called, goOn := detachable(t)
			close(goOn)
			o.scheduler.placing.Lock() // the first dispatch is played
			e := o.found(ci, waitingTask(t, o))
			a := played(t, o)
			if !heard {
				cut(true)
				noticed(t, o)
			}
			if err := a.write(t.Context(), true); errors.Is(err, store.ErrUnavailable) == heard {
				t.Fatalf("writing that it runs: %v", err)
			}
			if !heard {
				land(t, st, a, true)
			}
			cut(true)
			busy := &nodeapi.StatusError{Status: http.StatusTooManyRequests}
			a.l.release(busy)
			time.AfterFunc(time.Second, func() { cut(false) })
			a.finish(nodeapi.Event{}, busy, nil)
			o.scheduler.placing.Unlock()
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
	l := o.nodes.acquire(Candidate{NodeID: "n", PoolID: "p"}, "m")
	if !ok || l == nil {
		t.Fatal("nothing waits, or there is no node")
	}
	a := o.scheduler.assign(w, l, "")
	if err := a.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// noticed waits until the orchestrator knows that the store is away, so that it does
// not wait for answers.
func noticed(t *testing.T, o *Orchestrator) {
	t.Helper()
	for until := time.Now().Add(2 * time.Second); o.store.Events().Append("nobody", nil) == nil; {
		if time.Now().After(until) {
			t.Fatal("the store is not away")
		}
		<-time.After(time.Millisecond)
	}
}

// land does in the store what the dispatch wants to have written.
func land(t *testing.T, st *store.Store, a *attempt, mayShow bool) {
	t.Helper()
	stored, err := st.Bucket(store.Tasks).Get(t.Context(), a.e.id)
	if err != nil {
		t.Fatal(err)
	}
	r := record{Task: a.e.view(), Request: a.request}
	r.mayShow = mayShow
	value, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Bucket(store.Tasks).Update(t.Context(), a.e.id, value, stored.Revision); err != nil {
		t.Fatal(err)
	}
}

// TestATokenIsNotShownBecauseOfAStaleRecord has the store take back, unheard, that a
// dispatch may show tokens: it has to ask again before its first one, or another
// replica would run the task once more and contradict it.
func TestATokenIsNotShownBecauseOfAStaleRecord(t *testing.T) {
	o, st, cut, _, _ := detachable(t)
	o.scheduler.placing.Lock()
	defer o.scheduler.placing.Unlock()
	e := o.found(ci, waitingTask(t, o))
	a := played(t, o)
	if err := a.write(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	cut(true)
	noticed(t, o)
	if err := a.write(t.Context(), false); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v, want the store to be away", err)
	}
	land(t, st, a, false)
	time.AfterFunc(time.Second, func() { cut(false) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.allowOutput(ctx); err != nil {
		t.Fatal(err)
	}
	stored, err := st.Bucket(store.Tasks).Get(t.Context(), e.id)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := decodeRecord(stored.Value); err != nil || !r.mayHaveShown() {
		t.Errorf("a token is shown, and on disk is %s that has shown none (%v)", r.State, err)
	}
	a.leave(true)
}
