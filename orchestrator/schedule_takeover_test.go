package orchestrator_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func isUnavailable(err error) bool { return errors.Is(err, store.ErrUnavailable) }

// takeover is how long a lost scheduler may go unnoticed: five seconds of
// silence, and what a busy machine adds.
const takeover = 15 * time.Second

// TestALostSchedulersTasksGoOnOrEnd cuts the scheduler off while it runs a task
// that has shown tokens, one that has not, and has others waiting. Its engine
// goes on sending.
func TestALostSchedulersTasksGoOnOrEnd(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	late := make(chan struct{})
	var silentCalls atomic.Int32
	p := newPool(t, nil)
	p.dispatch = func(out *sink, r nodeapi.DispatchRequest) {
		switch {
		case r.Prompt == "shown":
			out.tokens(5)
			<-late // a has lost its lease, b has taken over: a must not show this
			out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: "contradiction", Index: 5})
			out.end(6)
		case r.Prompt == "silent" && silentCalls.Add(1) == 1:
			<-late
			out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: "contradiction", Index: 0})
			out.end(1)
		default:
			out.tokens(3)
			out.end(3)
		}
	}
	a.node("n", p, 2)
	prompt := func(text string) func(*orchestrator.TaskRequest) {
		return func(q *orchestrator.TaskRequest) { q.Prompt = text }
	}
	shown := a.take(prompt("shown"))
	before := a.reader(t, shown, 0)
	before.until(6)
	silent := a.take(prompt("silent"))
	testkit.Eventually(t, "b knows that the silent one shows nothing yet", func() bool {
		task := b.task(silent)
		return task.StartedAt != nil && time.Since(*task.StartedAt) > time.Second
	})
	waiting := a.take(prompt("waiting"))
	atB := b.reader(t, silent, 0)
	b.reader(t, shown, 0).until(6) // all of it is in the log
	a.cut(true)
	begin := time.Now()
	for _, c := range []struct{ id, want string }{{shown, "started token error"}, {waiting, "started token end"}} {
		r := b.reader(t, c.id, 0)
		ctx, cancel := context.WithTimeout(t.Context(), takeover)
		for events, err := r.Next(ctx); err == nil; events, err = r.Next(ctx) {
			r.events = append(r.events, events...)
		}
		cancel()
		if got := kinds(r.events); got != c.want {
			t.Errorf("at b: got %q, want %q", got, c.want)
		}
	}
	if got := kinds(atB.until(-1)); got != "started token end" {
		t.Errorf("the silent one at b: got %q", got)
	}
	soon(t, "taking over", begin, takeover)
	close(late)
	a.cut(false)
	testkit.Eventually(t, "a does not schedule", func() bool { return !a.Leads() && b.Leads() })
	end := before.until(-1)
	last := end[len(end)-1]
	if kinds(end) != "started token error" || len(end) != 7 || !strings.Contains(string(last.Data), "WORKER_RESET") || last.ID <= 7 {
		t.Errorf("a reader on a: got %q and at last %d %s", kinds(end), last.ID, last.Data)
	}
	for _, r := range rs {
		for id, want := range map[string]orchestrator.State{shown: orchestrator.Failed, silent: orchestrator.Completed, waiting: orchestrator.Completed} {
			r.becomes(id, want)
			for _, ev := range r.reader(t, id, 0).until(-1) {
				if strings.Contains(string(ev.Data), "contradiction") {
					t.Errorf("%s shows a token of the former leader", r.name)
				}
			}
		}
	}
	a.becomes(b.take(prompt("next")), orchestrator.Completed)
}

// TestAStopHandsOverAtOnceAndDrains stops the scheduler while a task streams.
func TestAStopHandsOverAtOnceAndDrains(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{Settings: orchestrator.Settings{Drain: within}}, "a", "b")
	a, b := rs[0], rs[1]
	p, goOn := held(t, 3)
	a.node("n", p, 2)
	id := a.take(nil)
	atA, atB := a.reader(t, id, 0), b.reader(t, id, 0)
	atA.until(4)
	atB.until(4)
	begin, stopped := time.Now(), make(chan error, 1)
	go func() { stopped <- a.Stop(context.Background()) }()
	testkit.Eventually(t, "b schedules", b.Leads)
	soon(t, "handing over", begin, 2*time.Second)
	if _, err := a.Submit(t.Context(), ci, orchestrator.TaskRequest{ModelRef: "demo", Prompt: "x"}, ""); err == nil || !strings.Contains(err.Error(), "STOPPING") {
		t.Errorf("a takes a task while it stops: %v", err)
	}
	second := b.take(nil)
	b.reader(t, second, 0).until(4) // it runs at b
	if got := b.task(id); got.State != orchestrator.Running {
		t.Fatalf("b has taken the task of a that drains: %s", got.State)
	}
	close(goOn)
	for name, r := range map[string]*reading{"a": atA, "b": atB} {
		if got := r.until(-1); kinds(got) != "started token end" || len(got) != 5 {
			t.Errorf("at %s: got %d events %q", name, len(got), kinds(got))
		}
	}
	if err := testkit.Receive(t, stopped, "the end of the stop"); err != nil {
		t.Error(err)
	}
	b.becomes(second, orchestrator.Completed)
	b.becomes(id, orchestrator.Completed)
}

// TestAStopWithoutTheStoreDrains stops the scheduler while it cannot say so, as in an
// election: the next one leaves its tasks alone all the same.
func TestAStopWithoutTheStoreDrains(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{Settings: orchestrator.Settings{Drain: within}}, "a", "b")
	a, b := rs[0], rs[1]
	p, goOn := held(t, 3)
	a.node("n", p, 2)
	id := a.take(nil)
	atB := b.reader(t, id, 0)
	atB.until(4)
	a.cut(true)
	stopped := make(chan error, 1)
	go func() { stopped <- a.Stop(context.Background()) }()
	<-time.After(time.Second)
	a.cut(false)
	testkit.Eventually(t, "b schedules", b.Leads)
	<-time.After(3 * time.Second) // it has looked for orphaned tasks
	if got := b.task(id); got.State != orchestrator.Running {
		t.Errorf("b has taken the task of a that drains: %s %v", got.State, got.Error)
	}
	close(goOn)
	if got := atB.until(-1); kinds(got) != "started token end" || len(got) != 5 {
		t.Errorf("at b: got %d events %q", len(got), kinds(got))
	}
	if err := testkit.Receive(t, stopped, "the end of the stop"); err != nil {
		t.Error(err)
	}
}

// TestAStopWithoutTimeFinishesItsTasks stops without a drain while tasks run.
func TestAStopWithoutTimeFinishesItsTasks(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	p := newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		if r.Prompt == "shown" {
			out.tokens(2)
		}
		<-out.gone
	})
	a.node("n", p, 2)
	shown := a.take(func(q *orchestrator.TaskRequest) { q.Prompt = "shown" })
	a.reader(t, shown, 0).until(3)
	silent := a.take(nil)
	b.becomes(silent, orchestrator.Running)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := kinds(b.reader(t, shown, 0).until(-1)); got != "started token error" {
		t.Errorf("the one with tokens: got %q", got)
	}
	testkit.Eventually(t, "the silent one runs at b", func() bool {
		task := b.task(silent)
		return task.State == orchestrator.Running && task.Attempt == 2
	})
}
