package orchestrator_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestATaskTakenHereIsKnownThereAtOnce(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	a.node("n", newPool(t, echo(3)), 0)
	testkit.Eventually(t, "b knows the node", func() bool { return len(b.Nodes()) == 1 })
	for i := range 20 {
		from, to := rs[i%2], rs[(i+1)%2]
		if got := to.task(from.take(nil)); got.State != orchestrator.Queued {
			t.Errorf("got %s, want queued", got.State)
		}
	}
	for _, r := range rs {
		testkit.Eventually(t, "all of them wait at "+r.name, func() bool { return r.QueueDepth(orchestrator.Interactive) == 20 })
	}
	a.node("n", newPool(t, echo(3)), 4)
	for _, r := range rs {
		testkit.Eventually(t, "none waits at "+r.name, func() bool { return r.QueueDepth(orchestrator.Interactive) == 0 })
	}
}

// TestAStreamGoesOnAtAnotherReplica reads a task here up to any event and there
// from that event on, while it runs at any pace, and after.
func TestAStreamGoesOnAtAnotherReplica(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	rs[0].node("n", newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		n, _ := strconv.Atoi(r.Prompt)
		pause := time.NewTimer(0)
		<-pause.C
		for i := range n {
			if r.MaxTokens > 0 && i%r.MaxTokens == 0 {
				pause.Reset(time.Millisecond)
				<-pause.C
			}
			out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: "t" + strconv.Itoa(i), Index: i})
		}
		out.end(n)
	}), 8)
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SampledFrom([]int{0, 1, 2, 50, 300, 1500}).Draw(t, "tokens")
		cut := rapid.IntRange(0, tokens+2).Draw(t, "cut")
		from := rapid.IntRange(0, 1).Draw(t, "from")
		id := rs[rapid.IntRange(0, 1).Draw(t, "admitted")].take(func(q *orchestrator.TaskRequest) {
			q.Prompt, q.MaxTokens = strconv.Itoa(tokens), rapid.SampledFrom([]int{1, 7, 400}).Draw(t, "burst")
			if tokens > 300 {
				q.MaxTokens = 400
			}
		})
		all := rs[from].reader(t, id, 0).until(cut)[:cut]
		if cut < tokens+2 {
			all = append(all, rs[1-from].reader(t, id, uint64(cut)).until(-1)...)
		}
		if len(all) != tokens+2 {
			t.Fatalf("got %d events, want %d: %+v", len(all), tokens+2, all[max(0, len(all)-4):])
		}
		for i, ev := range all {
			if ev.ID != uint64(i+1) {
				t.Fatalf("event %d has id %d and type %s", i+1, ev.ID, ev.Type)
			}
		}
		if all[tokens+1].Type != orchestrator.EventEnd {
			t.Fatalf("the last is %s, want end", all[tokens+1].Type)
		}
	})
}

func TestCancelReachesTheReplicaThatRuns(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	p, _ := held(t, 2)
	a.node("n", p, 1)
	running := b.take(nil)
	at := b.reader(t, running, 0)
	at.until(3)
	b.becomes(running, orchestrator.Running)
	waiting := a.take(nil)
	begin := time.Now()
	for _, id := range []string{waiting, running, running} {
		if err := b.Cancel(t.Context(), ci, id); err != nil {
			t.Fatal(err)
		}
	}
	soon(t, "canceling", begin, 2*time.Second)
	if got := kinds(at.until(-1)); got != "started token canceled" {
		t.Errorf("the running one: got %q", got)
	}
	if got := kinds(a.reader(t, waiting, 0).until(-1)); got != "canceled" && got != "gap canceled" {
		t.Errorf("the waiting one: got %q", got)
	}
	next := a.take(nil)
	a.becomes(next, orchestrator.Running) // it has the slot
}

func TestASessionsTurnsAreCountedOnce(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	rs[0].node("n", newPool(t, echo(1)), 4)
	testkit.Eventually(t, "b knows the model", func() bool { return len(rs[1].Models(nil)) == 1 })
	const session = "0197f3a0-0000-7000-8000-000000000001"
	var mu sync.Mutex
	taken, refused := 0, 0
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			_, err := rs[i%2].Submit(t.Context(), ci, orchestrator.TaskRequest{ModelRef: "demo", Prompt: "x", SessionID: session}, "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken++
			} else {
				refused++
			}
		})
	}
	all.Wait()
	if taken != orchestrator.MaxTurns || refused != 24-orchestrator.MaxTurns {
		t.Errorf("%d turns were taken and %d refused, want %d taken", taken, refused, orchestrator.MaxTurns)
	}
	for _, r := range rs {
		testkit.Eventually(t, "all turns are known at "+r.name, func() bool {
			s, err := r.Session(ci, session)
			return err == nil && s.Turns == orchestrator.MaxTurns && s.KVWarmth
		})
	}
	if err := rs[0].RemoveSession(t.Context(), ci, session); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it is gone at b", func() bool { _, err := rs[1].Session(ci, session); return err != nil })
}

func TestAnIdempotencyKeyIsOneTaskEverywhere(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	p := newPool(t, echo(1))
	rs[0].node("n", p, 4)
	testkit.Eventually(t, "b knows the model", func() bool { return len(rs[1].Models(nil)) == 1 })
	for round := range 10 {
		ids := make([]string, 8)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				a, err := rs[i%2].Submit(t.Context(), ci, orchestrator.TaskRequest{ModelRef: "demo", Prompt: "x"}, "key"+strconv.Itoa(round))
				if err != nil {
					t.Error(err)
				}
				ids[i] = a.TaskID
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("one key made two tasks: %v", ids)
			}
		}
	}
	page, err := rs[1].Tasks(ci, "", 200, "")
	if err != nil || len(page.Tasks) != 10 {
		t.Errorf("got %d tasks, %v, want 10", len(page.Tasks), err)
	}
	for _, task := range page.Tasks {
		rs[1].becomes(task.TaskID, orchestrator.Completed)
	}
	if len(p.calls) != 10 {
		t.Errorf("the engine was called %d times, want 10", len(p.calls))
	}
}

// TestAReplicaForgetsWithTheOthers takes tasks away while a replica listens, and
// while it is cut off.
func TestAReplicaForgetsWithTheOthers(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	a.node("n", newPool(t, echo(2)), 4)
	testkit.Eventually(t, "b knows the model", func() bool { return len(b.Models(nil)) == 1 })
	var ids []string
	for range 10 {
		id := b.take(nil)
		b.reader(t, id, 0).until(-1)
		ids = append(ids, id)
	}
	forget := func(ids []string) {
		t.Helper()
		for _, id := range ids {
			a.becomes(id, orchestrator.Completed)
			if err := a.Forget(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	forget(ids[:5])
	testkit.Eventually(t, "five are gone at b", func() bool { page, _ := b.Tasks(ci, "", 200, ""); return len(page.Tasks) == 5 })
	b.cut(true)
	forget(ids[5:])
	b.cut(false)
	for _, r := range rs {
		testkit.Eventually(t, "nothing is left at "+r.name, func() bool { return r.Remembers() == 0 })
	}
}

func TestWithoutTheStoreReadsGoOnAndWritesSayWhy(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	p, _ := held(t, 1)
	a.node("n", p, 1)
	id := a.take(nil)
	b.reader(t, id, 0).until(2)
	b.cut(true)
	if got := b.task(id); got.State != orchestrator.Running {
		t.Errorf("got %s, want running", got.State)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, err := b.Submit(ctx, ci, orchestrator.TaskRequest{ModelRef: "demo", Prompt: "x"}, "")
	if !isUnavailable(err) {
		t.Errorf("got %v, want store.ErrUnavailable", err)
	}
	b.cut(false)
	testkit.Eventually(t, "b takes tasks again", func() bool {
		_, err := b.Submit(t.Context(), ci, orchestrator.TaskRequest{ModelRef: "demo", Prompt: "x"}, "")
		return err == nil
	})
}

// TestAReaderWaitsForTheStore has the history be out of reach when it is wanted.
func TestAReaderWaitsForTheStore(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	a.node("n", newPool(t, echo(5)), 1)
	id := a.take(nil)
	b.becomes(id, orchestrator.Completed)
	b.cut(true)
	reader := b.reader(t, id, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // a heartbeat's time
	events, err := reader.Next(ctx)
	cancel()
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want it to wait", events, err)
	}
	b.cut(false)
	if got := reader.until(-1); kinds(got) != "started token end" || len(got) != 7 {
		t.Errorf("got %d events %q", len(got), kinds(got))
	}
}
