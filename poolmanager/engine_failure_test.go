//go:build linux

package poolmanager

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// wrapped is the demo engine started by a shell script that ends in: exec "$0" "$@".
func wrapped(t *testing.T, script string) Template {
	t.Helper()
	demo, err := DemoTemplate([]string{os.Args[0], "demo-engine"})
	if err != nil {
		t.Fatal(err)
	}
	demo.Name = "wrapped"
	demo.Command = append([]string{"/bin/sh", "-c", script + "\n" + `exec "$0" "$@"`}, demo.Command...)
	return demo
}

func TestChildrenThatLeftTheGroupEndWithTheEngineThatBroke(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates = []Template{wrapped(t, "setsid sleep 300 & setsid sleep 301 &")} })
	r.ready(t, "p", "wrapped", "")
	dir := r.dir.path
	if got := running(t, dir); got["p"] != 3 {
		t.Fatalf("processes: %v, want three", got)
	}
	if err := syscall.Kill(r.engine(t, "p").process.Identity().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the restart", func() bool { s := r.status(t, "p"); return s.Restarts == 1 && s.Ready })
	if got := running(t, dir); got["p"] != 3 {
		t.Errorf("after the restart: %v, want three processes, not the old ones too", got)
	}
}

func TestAnEngineThatFillsItsOutputWithoutALineEndStillServes(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates = []Template{wrapped(t, "yes x | tr -d '\\n' &")} })
	r.ready(t, "p", "wrapped", "")
	for range 3 {
		events, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 20})
		if err != nil || len(events) != 21 {
			t.Fatalf("got %d events, %v", len(events), err)
		}
	}
	p, err := r.pools.find("p")
	if err != nil {
		t.Fatal(err)
	}
	p.logs.mu.Lock()
	defer p.logs.mu.Unlock()
	if cap(p.logs.part) > 2*ringLineBytes {
		t.Errorf("the unfinished line holds %d bytes", cap(p.logs.part))
	}
}

func TestAnEngineWithoutMemoryIsClassified(t *testing.T) {
	// Its address space is bounded, and it wants all there is; what it prints then
	// says so.
	r := startRig(t, func(o *Options) { o.Templates = []Template{scripted("ulimit -v 100000; exec tail /dev/zero")} })
	if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "script"}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the failure", func() bool { return strings.HasPrefix(r.status(t, "p").LastError, string(ReasonMemory)+":") })
}

func TestAKillIsOutOfMemoryOnlyByTheKernelsCount(t *testing.T) {
	for kernel, want := range map[bool]Reason{true: ReasonMemory, false: ReasonSignal} {
		var kills atomic.Int64
		r := startRig(t, nil)
		r.Service.pools.env.engines.(*processes).kills = kills.Load
		r.ready(t, "p", "demo", "")
		pid := r.engine(t, "p").process.Identity().PID
		if kernel {
			// The last good probe was before the count moved: stop the probes first.
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			kills.Add(1)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the restart", func() bool { s := r.status(t, "p"); return s.Restarts == 1 && s.Ready })
		if s := r.status(t, "p"); !strings.HasPrefix(s.LastError, string(want)+":") {
			t.Errorf("the kernel counted %v: got %q, want %s", kernel, s.LastError, want)
		}
	}
}

func TestTheKernelsCountersAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory.events")
	if err := os.WriteFile(path, []byte("low 0\noom 7\noom_kill 3\noom_group_kill 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, ok := counter(path, "oom_kill"); !ok || n != 3 {
		t.Errorf("got %d, %v, want 3", n, ok)
	}
	if _, ok := counter(path, "missing"); ok {
		t.Error("a counter that is not there was read")
	}
	if err := os.WriteFile(path, []byte("4:memory:/x\n0::/system.slice/llorch.service\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if group, ok := controlGroup(path); !ok || group != "/system.slice/llorch.service" {
		t.Errorf("got %q, %v", group, ok)
	}
	if _, ok := counter("/proc/vmstat", "oom_kill"); !ok {
		t.Error("this kernel has no count of its own")
	}
}

// TestStatusAnswersInMillisecondsInEveryState asks for the status and what the
// orchestrator is told, again and again, while engines hang in each state, load,
// wait for memory, and a reading of the memory takes long.
func TestStatusAnswersInMillisecondsInEveryState(t *testing.T) {
	reading := make(chan struct{})
	t.Cleanup(func() { close(reading) })
	r := startRig(t, func(o *Options) {
		hangs := scripted(`trap "" TERM; while :; do sleep 60; done`)
		hangs.Name, hangs.ReadyLimit, hangs.StopGrace = "hangs", time.Hour, time.Minute
		loads := o.Templates[0]
		loads.Name, loads.ReadyLimit = "loads", time.Hour
		loads.Command = append(append([]string{}, loads.Command...), "--load-delay", "1h")
		swaps := o.Templates[0]
		swaps.Name, swaps.Swap = "swaps", true
		o.Templates = append(o.Templates, hangs, loads, swaps)
		o.times.liveMisses = 1000 // on a busy machine, too, only what is meant to hang does
	})
	r.ready(t, "ready", "demo", "")
	r.ready(t, "stopped-engine", "demo", "")
	for id, template := range map[string]string{"loading": "loads", "starting": "hangs", "stopping": "hangs"} {
		if _, err := r.client.Preload(t.Context(), id, nodeapi.PreloadRequest{Template: template}); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "the engines to run", func() bool { return r.status(t, "stopping").Live && r.status(t, "starting").Live })
	if err := syscall.Kill(r.engine(t, "stopped-engine").process.Identity().PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.Stop(t.Context(), "stopping"); err != nil {
		t.Fatal(err)
	}
	r.ready(t, "draining", "demo", "")
	stream, err := r.client.Dispatch(t.Context(), "draining", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if got, err := r.client.Drain(t.Context(), "draining", nodeapi.DrainRequest{DeadlineMS: 3_600_000}); err != nil || got.State != "draining" {
		t.Fatalf("drain: %+v, %v", got, err)
	}
	r.measureSlowly(t, reading)
	if _, err := r.client.Preload(t.Context(), "measuring", nodeapi.PreloadRequest{Template: "swaps"}); err != nil {
		t.Fatal(err)
	}
	go r.download(t, reading)
	testkit.Eventually(t, "the download", func() bool {
		s := r.status(t, "ready")
		return s.Progress != nil && s.Progress.Phase == "downloading" && s.Ready
	})
	var took []time.Duration
	for range 200 {
		for _, p := range r.pools.list() {
			begin := time.Now()
			p.status()
			p.report()
			took = append(took, time.Since(begin))
		}
	}
	// Not the slowest: a busy machine may let us wait for a processor.
	slices.Sort(took)
	if late := took[len(took)*95/100]; late > 20*time.Millisecond {
		t.Errorf("95 %% of %d answers took %v", len(took), late)
	}
	begin := time.Now()
	if _, err := r.client.Pools(t.Context()); err != nil || time.Since(begin) > 2*time.Second {
		t.Errorf("GET /pools took %v, %v", time.Since(begin), err)
	}
}

// measureSlowly gives the pools a memory whose reading hangs, as nvidia-smi does
// when its driver does.
func (r *rig) measureSlowly(t *testing.T, until chan struct{}) {
	t.Helper()
	l := r.pools.env.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = hangingRead(until)
}

// download begins a reload whose model comes slowly.
func (r *rig) download(t *testing.T, until chan struct{}) {
	p, err := r.pools.find("ready")
	if err != nil {
		t.Error(err)
		return
	}
	r.pools.env.stage = slowStage(until)
	_ = p.prefetch(t.Context(), launchSpec{model: model{ref: "catalog:slow"}})
}

func hangingRead(until chan struct{}) func(context.Context, []string) (int64, error) {
	return func(ctx context.Context, _ []string) (int64, error) {
		select {
		case <-until:
		case <-ctx.Done():
		}
		return 1 << 40, ctx.Err()
	}
}

func slowStage(until chan struct{}) stageFunc {
	return func(ctx context.Context, _ string, progress func(done, total int64)) (string, error) {
		progress(1, 1<<30)
		select {
		case <-until:
		case <-ctx.Done():
		}
		return "", ctx.Err()
	}
}
