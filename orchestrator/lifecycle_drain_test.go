package orchestrator_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
)

// alone is a single server's orchestrator.
func alone(t *testing.T, c orchestrator.Config, dir string) (o *replica, stop func()) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c.Store, c.Log = st, slog.New(slog.DiscardHandler)
	domain, err := orchestrator.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { domain.Stop(context.Background()); st.Close() }
	t.Cleanup(stop)
	o = &replica{Orchestrator: domain, t: t, name: "alone"}
	o.all = &[]*replica{o}
	return o, stop
}

func TestAStopLetsRunningTasksEnd(t *testing.T) {
	dir := t.TempDir()
	o, stop := alone(t, orchestrator.Config{Settings: orchestrator.Settings{Drain: within}}, dir)
	p, goOn := held(t, 2)
	o.node("n", p, 1)
	running := o.take(nil)
	reader := o.reader(t, running, 0)
	reader.until(3)
	waiting := o.take(nil)
	stopped := make(chan error, 1)
	go func() { stopped <- o.Stop(context.Background()) }()
	testkit.Eventually(t, "new tasks are refused", func() bool {
		_, err := o.Submit(t.Context(), ci, orchestrator.TaskRequest{ModelRef: "demo", Prompt: "x"}, "")
		return err != nil && strings.Contains(err.Error(), "STOPPING")
	})
	select {
	case err := <-stopped:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	close(goOn)
	if got := reader.until(-1); kinds(got) != "started token end" {
		t.Errorf("its reader: got %q", kinds(got))
	}
	begin := time.Now()
	if err := testkit.Receive(t, stopped, "the end of the stop"); err != nil {
		t.Fatal(err)
	}
	soon(t, "stopping after the last task", begin, 2*time.Second)
	if len(p.calls) != 1 {
		t.Errorf("%d tasks were dispatched, want the one from before", len(p.calls))
	}
	stop()
	again, _ := alone(t, orchestrator.Config{}, dir)
	if got := again.task(waiting).State; got != orchestrator.Queued {
		t.Errorf("the task that waited is %s, want queued", got)
	}
	if got := again.task(running).State; got != orchestrator.Completed {
		t.Errorf("the task that ran is %s, want completed", got)
	}
}

func TestADrainHasAnEnd(t *testing.T) {
	o, _ := alone(t, orchestrator.Config{Settings: orchestrator.Settings{Drain: 300 * time.Millisecond}}, t.TempDir())
	p, _ := held(t, 2)
	o.node("n", p, 1)
	reader := o.reader(t, o.take(nil), 0)
	reader.until(3)
	begin := time.Now()
	if err := o.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	soon(t, "stopping", begin, 3*time.Second)
	if got := reader.until(-1); kinds(got) != "started token error" || !strings.Contains(string(got[len(got)-1].Data), "WORKER_RESET") {
		t.Errorf("got %q", kinds(got))
	}
}

// TestADrainKeepsTimeToFinishTasks has a caller with less patience than the setting.
func TestADrainKeepsTimeToFinishTasks(t *testing.T) {
	o, _ := alone(t, orchestrator.Config{Settings: orchestrator.Settings{Drain: time.Hour}}, t.TempDir())
	p, _ := held(t, 2)
	o.node("n", p, 1)
	id := o.take(nil)
	o.reader(t, id, 0).until(3)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := o.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if got := o.task(id).State; got != orchestrator.Failed {
		t.Errorf("got %s, want failed", got)
	}
}
