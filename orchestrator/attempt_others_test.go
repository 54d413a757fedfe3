package orchestrator

import (
	"errors"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestADispatchChangesNoOtherReplicasRecord has a dispatch hear, before its first
// token, that another replica runs the task: the revision that it knows then is
// the other's, so that a compare-and-set alone would let it contradict.
func TestADispatchChangesNoOtherReplicasRecord(t *testing.T) {
	o, st, called, goOn := unwatched(t)
	id := waitingTask(t, o)
	testkit.Receive(t, called, "the engine's call")
	e := o.found(ci, id)
	e.mu.Lock()
	a := e.run
	e.mu.Unlock()
	written := func() bool {
		e.changing.Lock()
		defer e.changing.Unlock()
		return a.written
	}
	for until := time.Now().Add(10 * time.Second); !written(); {
		if time.Now().After(until) {
			t.Fatal("that it runs is never written")
		}
		<-time.After(time.Millisecond)
	}
	o.lifecycle.stopWatches()
	o.lifecycle.watches.Wait()
	e.changing.Lock() // the dispatch itself waits
	r := stored(t, st, id)
	now := time.Now().UTC()
	r.Task.runner, r.Task.mayShow, r.Task.FirstTokenAt = "b", false, &now
	value, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	revision, err := st.Bucket(store.Tasks).Update(t.Context(), id, value, e.revision)
	if err != nil {
		t.Fatal(err)
	}
	o.observe(store.Entry{Key: id, Value: value, Revision: revision})
	e.changing.Unlock()
	if err := a.allowOutput(t.Context()); !errors.Is(err, errTaken) {
		t.Errorf("begun: got %v, want errTaken", err)
	}
	if err := a.write(t.Context(), false); err != nil && !errors.Is(err, errTaken) {
		t.Errorf("write: %v", err)
	}
	close(goOn)
	o.scheduler.dispatches.Wait()
	if r := stored(t, st, id); r.runner != "b" || r.State != Running || !r.FirstTokenAt.Equal(now) {
		t.Errorf("the other's record is now %s by %q, first token at %s", r.State, r.runner, r.FirstTokenAt)
	}
}

func stored(t *testing.T, st *store.Store, id string) record {
	t.Helper()
	entry, err := st.Bucket(store.Tasks).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRecord(entry.Value)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestATaskStartsOnce has another replica show a task's start, and not write it.
func TestATaskStartsOnce(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	e := o.found(ci, waitingTask(t, o))
	e.mu.Lock()
	e.tail = newTail(0, nil)
	e.tail.feed([]Event{newEvent(1, EventStarted, startedData{})}, time.Now())
	e.mu.Unlock()
	a := &attempt{o: o, e: e, w: e.waits, l: &slot{nodeID: "n", poolID: "p"}}
	if err := a.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if events, _, _ := a.tail.since(1); len(events) != 1 || events[0].ID != 1 {
		t.Errorf("got %v, want the start alone", events)
	}
}
