package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestAFirstTokenWaitsForTheStore takes the store away for a moment when a first
// token comes that has to be written before it is shown.
func TestAFirstTokenWaitsForTheStore(t *testing.T) {
	o, _, cut, called, goOn := detachable(t)
	e := o.found(ci, waitingTask(t, o))
	testkit.Receive(t, called, "the engine's call")
	retracted(t, e)
	cut(true)
	close(goOn)
	<-time.After(time.Second)
	cut(false)
	completedAtOnce(t, e)
}

// rewritten has a task run whose record is then changed behind its runner's back,
// lets its token come, and gives what a live reader got.
func rewritten(t *testing.T, change func(*record)) (Task, []Event) {
	t.Helper()
	o, st, called, goOn := unwatched(t)
	id := waitingTask(t, o)
	testkit.Receive(t, called, "the engine's call")
	e := o.found(ci, id)
	retracted(t, e)
	o.lifecycle.stopWatches()
	o.lifecycle.watches.Wait()
	stored, err := st.Bucket(store.Tasks).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRecord(stored.Value)
	if err != nil || r.State != Running || r.runner != "a" {
		t.Fatalf("on disk: %s by %q, %v", r.State, r.runner, err)
	}
	change(&r)
	value, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Bucket(store.Tasks).Update(t.Context(), id, value, stored.Revision); err != nil {
		t.Fatal(err)
	}
	reader, err := o.Follow(ci, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := reader.Next(ctx)
	if err != nil || got[0].Type != EventStarted {
		t.Fatalf("got %v, %v, want started", got, err)
	}
	var live sync.WaitGroup
	live.Go(func() {
		for events, err := reader.Next(ctx); err == nil; events, err = reader.Next(ctx) {
			got = append(got, events...)
		}
	})
	close(goOn)
	o.scheduler.dispatches.Wait()
	live.Wait()
	return e.view(), got
}

// TestOnlyOneOfTwoRunnersShowsItsFirstToken has another replica take a task over
// whose runner knows nothing of it.
func TestOnlyOneOfTwoRunnersShowsItsFirstToken(t *testing.T) {
	task, events := rewritten(t, func(r *record) {
		now := time.Now().UTC()
		r.Task.runner, r.Task.FirstTokenAt = "b", &now // b has shown another token
	})
	for _, ev := range events {
		if ev.Type == EventToken {
			t.Errorf("the former runner shows %s", ev.Data)
		}
	}
	if task.State == Completed || task.runner != "b" || task.TokensOut != 0 {
		t.Errorf("got %s by %q with %d tokens, want nothing of the former runner", task.State, task.runner, task.TokensOut)
	}
}

// TestAWriteWhoseAnswerWasLostIsStillOurs has the record be newer than its runner
// believes, and say what the runner has written.
func TestAWriteWhoseAnswerWasLostIsStillOurs(t *testing.T) {
	task, events := rewritten(t, func(*record) {})
	if len(events) != 3 || events[1].Type != EventToken || task.State != Completed || task.Attempt != 1 {
		t.Errorf("got %d events and %s at attempt %d, want it completed at once", len(events), task.State, task.Attempt)
	}
}

// TestWhatALostRunnerWroteAfterTheEndDoesNotCount has records in the log that
// came after the task was ended by another replica.
func TestWhatALostRunnerWroteAfterTheEndDoesNotCount(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	id := waitingTask(t, o)
	e := o.found(ci, id)
	write := func(from, to uint64) {
		t.Helper()
		var batch []Event
		for i := from; i <= to; i++ {
			batch = append(batch, newEvent(i, EventToken, TokenData{"x", int(i)}))
		}
		if err := o.store.Events().Append(id, encodeBatch(batch)); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 3)
	if err := o.store.Events().Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	if _, err := o.change(t.Context(), e, func(t *Task) {
		t.State, t.runner, t.StartedAt, t.FirstTokenAt = Running, "lost", &now, &now
	}); err != nil {
		t.Fatal(err)
	}
	if err := o.scheduler.recoverOrphan(e); err != nil {
		t.Fatal(err)
	}
	if task := e.view(); task.TokensOut != 3 || !task.TokensEstimated {
		t.Errorf("tokens_out is %d (estimated %t), want the 3 in the log, as an estimate", task.TokensOut, task.TokensEstimated)
	}
	write(4, 7) // and one of them is half before the end
	for _, after := range []uint64{0, 2, 3, 5, 7} {
		r, err := o.Follow(ci, id, after)
		if err != nil {
			t.Fatal(err)
		}
		got := toTheEnd(t, r)
		want := max(0, 3-int(after)) + 1
		if last := got[len(got)-1]; len(got) != want || last.Type != EventError || !strings.Contains(string(last.Data), "WORKER_RESET") || last.ID < 4+resetLeap {
			t.Errorf("after %d: got %d events and at last %d %s, want %d", after, len(got), last.ID, last.Type, want)
		}
	}
	if err := o.store.Events().Forget(t.Context(), id); err != nil { // as their age does
		t.Fatal(err)
	}
	write(4, 7)
	r, err := o.Follow(ci, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := r.Next(t.Context()); err != nil || len(events) != 1 || events[0].Type != EventGap || events[0].ID != 3 {
		t.Errorf("when the events before it are gone: got %v, %v, want the gap alone", events, err)
	}
}

// TestAFedTailRepeatsNothingAndHidesNothing feeds batches as a connection that
// breaks would: some are lost, some come twice. What the tail does not have it
// must send its readers to the log for.
func TestAFedTailRepeatsNothingAndHidesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const events = 40
		tl, next := newTail(0, nil), uint64(1)
		read := func() {
			for {
				got, changed, ok := tl.since(next)
				switch {
				case !ok: // the log has everything
					next = max(next+1, min(tl.from(next), next+1))
				case len(got) > 0:
					for _, ev := range got {
						if ev.ID != next {
							t.Fatalf("got %d, want %d", ev.ID, next)
						}
						next++
					}
				case changed != nil:
					return
				}
			}
		}
		for from := uint64(1); from <= events; {
			size := rapid.Uint64Range(1, 5).Draw(t, "size")
			var batch []Event
			for id := from; id < from+size; id++ {
				data, _ := json.Marshal(TokenData{"x", int(id)})
				batch = append(batch, Event{id, EventToken, data})
			}
			switch rapid.SampledFrom([]string{"fed", "fed", "twice", "lost", "asked"}).Draw(t, "fate") {
			case "twice":
				tl.feed(batch, time.Time{})
				fallthrough
			case "fed":
				tl.feed(batch, time.Time{})
			case "asked":
				tl.extendTo(from + size - 1)
			}
			from += size
			if rapid.Bool().Draw(t, "read") {
				read()
			}
		}
		read()
		if next != tl.last+1 {
			t.Fatalf("read up to %d, the tail is at %d", next-1, tl.last)
		}
	})
}

func TestAReplicaWithoutTheLeaseShowsNoTokens(t *testing.T) {
	first, st, _, _ := unwatched(t)
	for !first.scheduler.leading.Load() {
		<-time.After(time.Millisecond)
	}
	view, _, err := st.View(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(t.Context(), Config{Store: view, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Stop(context.Background()); view.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*showPause)
	defer cancel()
	if err := (&attempt{o: second, first: true}).allowOutput(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want it to wait", err)
	}
	if err := (&attempt{o: first, first: true}).allowOutput(ctx); err != nil {
		t.Errorf("the holder: %v", err)
	}
}

// TestATaskThatRunsAgainIsNotRecoveredAsAnOrphan plays a scheduler that has found
// an orphaned task and recovers it after the next dispatch has begun.
func TestATaskThatRunsAgainIsNotRecoveredAsAnOrphan(t *testing.T) {
	o, _, called, goOn := unwatched(t)
	e := o.found(ci, waitingTask(t, o))
	testkit.Receive(t, called, "the engine's call")
	if err := o.scheduler.recoverOrphan(e); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	completedAtOnce(t, e)
}
