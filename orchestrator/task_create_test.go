package orchestrator

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// drafted gives an orchestrator with one slot, and a task's first record, which
// says that the task may show tokens.
func drafted(t *testing.T) (o *Orchestrator, rec record, value []byte) {
	t.Helper()
	o = newWith(t, Config{Store: openStore(t)})
	r := TaskRequest{TaskID: uuid.NewString(), ModelRef: "m", Prompt: "x", DeadlineMS: 60_000}
	if err := r.normalize(); err != nil {
		t.Fatal(err)
	}
	rec = o.draft(t.Context(), ci, r)
	rec.State, rec.runner, rec.mayShow = Running, o.replica, true
	value, err := rec.encode()
	if err != nil {
		t.Fatal(err)
	}
	return o, rec, value
}

// onDisk gives what the store says of a task.
func onDisk(t *testing.T, o *Orchestrator, id string) record {
	t.Helper()
	stored, err := o.store.Bucket(store.Tasks).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRecord(stored.Value)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// toTheEnd gives all that a reader still gets.
func toTheEnd(t *testing.T, r *Reader) (all []Event) {
	t.Helper()
	for {
		events, err := r.Next(t.Context())
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
	}
}

// holds waits until something is so.
func holds(t *testing.T, what string, f func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for until := time.Now().Add(10 * time.Second); !f(); <-ticker.C {
		if time.Now().After(until) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestNothingIsSeenOfATaskBeforeItIsOnDisk has an engine answer before the
// task's first record is written.
func TestNothingIsSeenOfATaskBeforeItIsOnDisk(t *testing.T) {
	o, rec, value := drafted(t)
	called, goOn := onePool(t, o)
	e, _, err := o.addOptimistic(rec, int64(len(value)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !e.stored() { // this test has failed
			o.drop(e.id, 0)
			close(e.firstWrite)
		}
	})
	testkit.Receive(t, called, "the engine's call") // the engine did not wait for the disk
	close(goOn)
	patience, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // its answer is here long before
	defer cancel()
	e.mu.Lock()
	tail := e.tail
	e.mu.Unlock()
	for patience.Err() == nil {
		if o.found(ci, e.id) != nil || len(o.tasks.visible(ci, "")) != 0 || o.Cancel(t.Context(), ci, e.id) == nil {
			t.Fatal("the task is seen before it is on disk")
		}
		if events, _, _ := tail.since(2); len(events) > 0 {
			t.Fatal("its token is seen before it is on disk")
		}
	}
	revision, err := o.store.Bucket(store.Tasks).Create(t.Context(), e.id, value)
	if err != nil {
		t.Fatal(err)
	}
	e.arrived(revision)
	r, err := o.Follow(ci, e.id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range toTheEnd(t, r) {
		got = append(got, string(ev.Type))
	}
	if kinds := strings.Join(got, " "); kinds != "started token end" {
		t.Errorf("got %q", kinds)
	}
	if r := onDisk(t, o, e.id); r.State != Completed || r.Attempt != 1 || r.FirstTokenAt == nil {
		t.Errorf("on disk: %+v", r.Task)
	}
}

// TestATaskThatCannotBeWrittenHasNeverBeen has the disk refuse a task whose
// dispatch is under way.
func TestATaskThatCannotBeWrittenHasNeverBeen(t *testing.T) {
	o, rec, value := drafted(t)
	_, goOn := onePool(t, o)
	if _, err := o.store.Bucket(store.Tasks).Create(t.Context(), rec.TaskID, value); err != nil { // memory does not know
		t.Fatal(err)
	}
	_, err := o.Submit(t.Context(), ci, *rec.Request, "")
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != "TASK_EXISTS" {
		t.Fatalf("got %v, want TASK_EXISTS", err)
	}
	holds(t, "its dispatch is over", func() bool {
		return o.scheduler.active.Load() == 0 && o.nodes.slots(Needs{Model: "m", Workload: ""}) == 1
	})
	o.queue.mu.Lock()
	places := o.queue.pending
	o.queue.mu.Unlock()
	if got := o.tasks.get(rec.TaskID); got != nil || o.queue.size() != 0 || o.tasks.bytes.Total() != 0 || places != 0 {
		t.Errorf("left: entry %v, %d queued, %d bytes, %d places", got, o.queue.size(), o.tasks.bytes.Total(), places)
	}
	if r := onDisk(t, o, rec.TaskID); r.State != Running || r.Attempt != 0 {
		t.Errorf("the other task of this id was changed: %+v", r.Task)
	}
	close(goOn)
	id := waitingTask(t, o) // the slot and the queue work on
	holds(t, "the next task is done", func() bool { return onDisk(t, o, id).State == Completed })
}

// TestWhatADispatchMayShowIsOnDisk follows the record of a task whose engine is
// slow: at first it may show tokens, later no more without another word.
func TestWhatADispatchMayShowIsOnDisk(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	called, goOn := onePool(t, o)
	begin := time.Now()
	id := waitingTask(t, o)
	testkit.Receive(t, called, "the engine's call")
	first := onDisk(t, o, id)
	if took := time.Since(begin); took < showWindow && (first.State != Running || !first.mayShow || first.runner != o.replica) {
		t.Errorf("at first: %+v, may show %t, want it to be allowed", first.Task, first.mayShow)
	}
	holds(t, "it may no longer show tokens", func() bool { return !onDisk(t, o, id).mayShow })
	if r := onDisk(t, o, id); r.State != Running || r.NodeID != "n" || r.Attempt != 1 || r.FirstTokenAt != nil {
		t.Errorf("then: %+v, want it running at n without a token", r.Task)
	}
	close(goOn)
	holds(t, "it ends", func() bool { return onDisk(t, o, id).State == Completed })
}

// TestATaskThatWaitsIsNotAllowedToShow has another task take the slot that was
// reserved for it.
func TestATaskThatWaitsIsNotAllowedToShow(t *testing.T) {
	o, rec, value := drafted(t) // and no node
	e, _, err := o.createOptimistic(t.Context(), rec, value)
	if err != nil {
		t.Fatal(err)
	}
	if r := onDisk(t, o, e.id); r.State != Queued || r.mayShow || r.runner != "" {
		t.Errorf("on disk: %s by %q, may show %t, want that it waits", r.State, r.runner, r.mayShow)
	}
}

// TestWhatMayHaveBeenShownIsNotRunAgain starts an orchestrator on the records of
// one that was killed.
func TestWhatMayHaveBeenShownIsNotRunAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		mayShow bool
		want    State
	}{{"it may have shown tokens", true, Failed}, {"it has shown none", false, Queued}} {
		t.Run(c.name, func(t *testing.T) {
			o, rec, _ := drafted(t)
			rec.mayShow = c.mayShow
			value, err := rec.encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.store.Bucket(store.Tasks).Create(t.Context(), rec.TaskID, value); err != nil {
				t.Fatal(err)
			}
			next := newWith(t, Config{Store: o.store})
			task, err := next.Task(ci, rec.TaskID)
			if err != nil || task.State != c.want {
				t.Fatalf("got %s, %v, want %s", task.State, err, c.want)
			}
			if c.mayShow && (task.Error == nil || task.Error.Code != "WORKER_RESET" || task.LastEventID <= resetLeap) {
				t.Errorf("got %+v at %d, want WORKER_RESET under an id that no reader has seen", task.Error, task.LastEventID)
			}
		})
	}
}
