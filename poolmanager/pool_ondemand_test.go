//go:build linux

package poolmanager

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/staging"
)

// onDemand is a rig with two pools of real engines that no task has started yet,
// and memory for one of them.
func onDemand(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	return startRig(t, func(o *Options) {
		o.Templates[0].Swap = true
		o.Templates[0].MemoryBytes = 200 << 20
		o.MemoryBytes = 205 << 20
		o.Preload = []Preload{{PoolID: "a", Template: "demo", OnDemand: true}, {PoolID: "b", Template: "demo", ModelRef: "other", OnDemand: true}}
		if change != nil {
			change(o)
		}
	})
}

func TestTasksSwapRealEnginesWithinTheBudget(t *testing.T) {
	r := onDemand(t, nil)
	for _, id := range []string{"a", "b", "a"} {
		// A task that finds the memory taken is refused, as by the orchestrator's retry.
		var events []nodeapi.Event
		testkit.Eventually(t, "a task for "+id, func() bool {
			var err error
			events, err = r.run(t, id, nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 3})
			if err != nil && statusOf(err) != 429 {
				t.Fatal(err)
			}
			return err == nil
		})
		if len(events) != 4 || events[3].Type != nodeapi.EventEnd {
			t.Errorf("%s: got %+v", id, events)
		}
		p, err := r.pools.find(id)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "what it took to be measured", func() bool { return p.memory() > 1<<20 && p.memory() < 200<<20 })
	}
	if s := r.status(t, "b"); s.Restarts != 0 || strings.Contains(s.LastError, "failed") {
		t.Errorf("b: %+v", s)
	}
	if !strings.Contains(r.log.String(), "evicting idle engine") {
		t.Error("no engine was evicted")
	}
}

func TestATaskWithoutMemoryIsRefusedInTimeWithRetryAfter(t *testing.T) {
	r := onDemand(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	stream, err := r.client.Dispatch(ctx, "a", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	p, err := r.pools.find("a")
	if err != nil {
		t.Fatal(err)
	}
	// What it took is little: let it count as much as was declared.
	testkit.Eventually(t, "the measurement", func() bool { return p.memory() != 200<<20 })
	r.pools.env.ledger.mu.Lock()
	r.pools.env.ledger.read = func(context.Context, []string) (int64, error) {
		if p.status().Live {
			return 100 << 20, nil
		}
		return 205 << 20, nil
	}
	r.pools.env.ledger.mu.Unlock()
	begin := time.Now()
	_, err = r.client.Dispatch(t.Context(), "b", nodeapi.DispatchRequest{Prompt: "x"})
	var refused *nodeapi.StatusError
	if !errors.As(err, &refused) || refused.Status != 429 || refused.Code != "NO_MEMORY" || refused.RetryAfter < time.Second {
		t.Errorf("got %+v", err)
	}
	if took := time.Since(begin); took > 10*quick.memoryWait {
		t.Errorf("the refusal took %v", took)
	}
	testkit.Eventually(t, "b to be offered again", func() bool { s := r.status(t, "b"); return s.State == "stopped" && s.Loadable && s.ActiveLeases == 0 })
	hangUp()
	testkit.Eventually(t, "a task for b", func() bool {
		_, err := r.run(t, "b", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 1})
		return err == nil
	})
}

func TestATaskWaitsOnAnOpenStreamWhileItsEngineLoads(t *testing.T) {
	r := onDemand(t, func(o *Options) {
		o.Templates[0].Command = append(o.Templates[0].Command, "--load-delay", "2s")
	})
	begin := time.Now()
	stream, err := r.client.Dispatch(t.Context(), "a", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if took := time.Since(begin); took > 1900*time.Millisecond || r.status(t, "a").State != "starting" {
		t.Errorf("the stream was open after %v, the pool is %+v", took, r.status(t, "a"))
	}
	if e, err := stream.Next(); err != nil || e.Type != nodeapi.EventToken {
		t.Errorf("got %+v, %v", e, err)
	}
	// A deadline counts from the dispatch, not from the engine's start.
	if _, err := r.client.Stop(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	events, err := r.run(t, "b", nodeapi.DispatchRequest{Prompt: "x", DeadlineMS: 100})
	if err != nil || len(events) != 1 || events[0].Code != "DEADLINE_EXCEEDED" {
		t.Errorf("got %+v, %v", events, err)
	}
}

func TestTheOrchestratorHearsOfPoolsThatLoadOnDemand(t *testing.T) {
	f := newFakeOrchestrator(t)
	onDemand(t, func(o *Options) {
		o.OrchestratorURL, o.OrchestratorToken = f.URL, func() authmin.Secret { return o.Token }
	})
	testkit.Eventually(t, "a heartbeat", func() bool {
		_, _, beat := f.seen()
		return len(beat.Pools) == 2 && beat.Pools[0].Loadable && beat.Pools[0].Ready && beat.Pools[0].SlotsFree == 4 && beat.Pools[1].Models[0] == "other"
	})
}

func TestAnOfferNeedsATemplateThatMayBeSwapped(t *testing.T) {
	o := demoOptions(t)
	o.Preload = []Preload{{PoolID: "a", Template: "demo", OnDemand: true}}
	if err := o.Check(); err == nil {
		t.Error("it was accepted")
	}
	if s, err := Start(t.Context(), o); err == nil {
		t.Error("it was started")
		s.Stop(context.Background())
	}
}

// staged is a rig whose catalog: models come from stage.
func staged(t *testing.T, stage stageFunc) *rig {
	t.Helper()
	return startRig(t, func(o *Options) {
		o.ModelRoot = t.TempDir()
		o.Templates[0].TakesFile, o.Templates[0].Model = true, ""
		o.Templates[0].Command = append([]string{"/bin/sh", "-c", `[ -s "$0" ] || exit 1; shift 0; exec "$@"`, "{model_path}"}, o.Templates[0].Command...)
		o.stage = stage
	})
}

func TestAPreloadShowsItsDownloadAndAStopEndsTheWait(t *testing.T) {
	ended := make(chan error, 1)
	r := staged(t, func(ctx context.Context, ref string, progress func(done, total int64)) (string, error) {
		progress(10, 100)
		<-ctx.Done()
		ended <- ctx.Err()
		return "", ctx.Err()
	})
	got, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "demo", ModelRef: "catalog:m", WaitMS: 100})
	want := nodeapi.Progress{Phase: "downloading", DoneBytes: 10, TotalBytes: 100}
	if err != nil || got.State != "starting" || got.Progress == nil || *got.Progress != want {
		t.Errorf("after the wait: %+v, %v", got, err)
	}
	if s := r.status(t, "p"); s.Progress == nil || *s.Progress != want || s.Live {
		t.Errorf("status %+v", s)
	}
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	testkit.Receive(t, ended, "the end")
	testkit.Eventually(t, "the pool to stop", func() bool { s := r.status(t, "p"); return s.State == "stopped" && s.Progress == nil })
}

func TestAReloadBringsTheModelWhileTheOldOneServes(t *testing.T) {
	good := t.TempDir() + "/good"
	if err := os.WriteFile(good, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	arrive := make(chan error, 2)
	r := staged(t, func(ctx context.Context, ref string, progress func(done, total int64)) (string, error) {
		if ref == "catalog:old" {
			return good, nil
		}
		progress(1, 2)
		select {
		case err := <-arrive:
			return good, err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
	r.ready(t, "p", "demo", "catalog:old")
	reloaded := make(chan error, 1)
	reload := func() {
		_, err := r.client.Reload(t.Context(), "p", nodeapi.ReloadRequest{ModelRef: "catalog:new"})
		reloaded <- err
	}
	downloading := func() bool {
		s := r.status(t, "p")
		return s.Ready && s.Progress != nil && s.Progress.Phase == "downloading"
	}

	go reload()
	testkit.Eventually(t, "the download", downloading)
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 2}); err != nil {
		t.Errorf("a task during the download: %v", err)
	}
	arrive <- staging.ErrStaging
	if err := testkit.Receive(t, reloaded, "the end of the reload"); statusOf(err) != 409 {
		t.Errorf("a download that failed: got %v, want 409", err)
	}
	if s := r.status(t, "p"); !s.Ready || s.ModelRef != "catalog:old" || s.Restarts != 0 || s.Progress != nil {
		t.Errorf("afterwards: %+v", s)
	}

	go reload()
	testkit.Eventually(t, "the second download", downloading)
	arrive <- nil
	arrive <- nil // the launch asks again; the real one has the file then
	if err := testkit.Receive(t, reloaded, "the end of the reload"); err != nil {
		t.Errorf("the reload: %v", err)
	}
	if s := r.status(t, "p"); !s.Ready || s.ModelRef != "catalog:new" {
		t.Errorf("after the reload: %+v", s)
	}

	go reload()
	testkit.Eventually(t, "the third download", downloading)
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Receive(t, reloaded, "the end of the reload"); statusOf(err) != 409 {
		t.Errorf("a stop during the download: got %v, want 409", err)
	}
}
