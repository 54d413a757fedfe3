package poolmanager

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/proc"
)

// scripted is an engine that is a shell script: it never becomes healthy.
func scripted(script string) Template {
	return Template{
		Name: "script", Engine: "script", Dialect: adapter.LlamaCPP, Model: "m",
		Command:    []string{"/bin/sh", "-c", "port={port}; " + script},
		HealthPath: "/health", Slots: 1, ReadyLimit: 10 * time.Second, StopGrace: 100 * time.Millisecond,
	}
}

// lastEvent reads a stream to its end.
func lastEvent(stream *nodeapi.Stream) (last nodeapi.Event) {
	for {
		event, err := stream.Next()
		if err != nil {
			return last
		}
		last = event
	}
}

func TestAnEngineThatEndsIsClassified(t *testing.T) {
	for script, want := range map[string]Reason{
		"exit 3":                                              ReasonExit,
		"kill -9 $$":                                          ReasonSignal,
		"echo 'std::bad_alloc'; exit 1":                       ReasonMemory,
		"echo 'CUDA error: 2'; kill $$":                       ReasonCUDA,
		"exec /nonexistent/engine":                            ReasonExit,
		"printf 'CUDA error: no end of line'; exit 1":         ReasonCUDA,
		"yes | head -c 8000000; exit 1":                       ReasonExit, // output is drained, not blocked on
		"yes x | tr -d '\\n' | head -c 9000000; echo; exit 1": ReasonExit,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			r := startRig(t, func(o *Options) { o.Templates = []Template{scripted(script)} })
			if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "script"}); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the failure", func() bool { return strings.HasPrefix(r.status(t, "p").LastError, string(want)+":") })
		})
	}
}

func TestAnEngineThatNeverServedIsQuoted(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates = []Template{scripted("echo 'invalid magic: token=canary-canary-canary'; echo; exit 1")}
	})
	if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "script"}); err != nil {
		t.Fatal(err)
	}
	want := "exit: the engine ended with exit code 1; it said: invalid magic: token=[redacted]"
	testkit.Eventually(t, "the failure", func() bool { return r.status(t, "p").LastError == want })
}

func TestAProgramThatIsNotThereFailsToStart(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates = []Template{scripted("")}
		o.Templates[0].Command[0] = "/nonexistent/engine"
	})
	got, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "script", WaitMS: 10_000})
	if err != nil || got.State != "failed" {
		t.Errorf("got %+v, %v, want failed", got, err)
	}
	if s := r.status(t, "p"); !strings.HasPrefix(s.LastError, "start:") || s.Live {
		t.Errorf("status %+v", s)
	}
}

func TestAnEngineThatIsNeverReadyIsEndedAtItsLimit(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates = []Template{scripted(`trap "" TERM; while :; do sleep 60; done`)}
		o.Templates[0].Command[2] += " # {key_file}"
		o.Templates[0].Key, o.Templates[0].ReadyLimit = KeyFile, 50*time.Millisecond
		o.times.restartFirst = time.Hour
	})
	if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "script"}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the failure", func() bool { return strings.HasPrefix(r.status(t, "p").LastError, "health: not ready within 50ms") })
	if keys, err := os.ReadDir(filepath.Join(r.dir.path, "keys")); err != nil || len(keys) != 0 {
		t.Errorf("keys left: %v, %v", keys, err)
	}
}

func TestAHungEngineIsFoundAndReplaced(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	if err := syscall.Kill(r.engine(t, "p").process.Identity().PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the restart", func() bool { s := r.status(t, "p"); return s.Restarts == 1 && s.Ready })
	if s := r.status(t, "p"); !strings.HasPrefix(s.LastError, "health: 3 probes failed") {
		t.Errorf("last error %q", s.LastError)
	}
}

func TestStatusAnswersAtOnceWhateverTheEngineDoes(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates[0].Command = append(o.Templates[0].Command, "--load-delay", "1h")
		o.Templates[0].ReadyLimit = time.Hour
	})
	begin := time.Now()
	got, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "demo"})
	if err != nil || got.State != "starting" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if s := r.status(t, "p"); s.State != "starting" || s.Ready || s.SlotsFree != 0 {
		t.Errorf("status %+v", s)
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("two calls took %v", took)
	}
	if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "demo"}); err != nil {
		t.Errorf("asking for the same again: %v", err)
	}
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the start to be given up", func() bool { return r.status(t, "p").State == "stopped" })
}

func TestDrainLetsTheRunningTaskEndAndRefusesNewOnes(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	stream, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if got, err := r.client.Drain(t.Context(), "p", nodeapi.DrainRequest{DeadlineMS: 10_000}); err != nil || got.State != "draining" {
		t.Fatalf("drain: %+v, %v", got, err)
	}
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x"}); statusOf(err) != 409 {
		t.Errorf("a new task: got %v, want 409", err)
	}
	last := lastEvent(stream)
	if last.Type != nodeapi.EventEnd || last.TokensOut != 200 {
		t.Errorf("the running task ended with %+v", last)
	}
	testkit.Eventually(t, "the pool to stop", func() bool { return r.status(t, "p").State == "stopped" })
	r.ready(t, "p", "demo", "")
}

func TestADrainsDeadlineEndsTheTask(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	stream, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := r.client.Drain(t.Context(), "p", nodeapi.DrainRequest{DeadlineMS: 30}); err != nil {
		t.Fatal(err)
	}
	last := lastEvent(stream)
	if last.Type != nodeapi.EventError || last.Code != "WORKER_RESET" {
		t.Errorf("the task ended with %+v", last)
	}
}

func TestReloadReplacesTheModelAndARefusedOneBringsTheOldBack(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"good", "better", "bad"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := startRig(t, func(o *Options) {
		o.ModelRoot = root
		o.Templates[0].TakesFile = true
		script := `case "$0" in *bad) exit 1;; esac; model=$0; shift; exec "$@"`
		o.Templates[0].Command = append([]string{"/bin/sh", "-c", script, "{model_path}", "x"}, o.Templates[0].Command...)
	})
	r.ready(t, "p", "demo", "file:good")
	old := r.engine(t, "p").process.Identity()
	running, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if got, err := r.client.Reload(t.Context(), "p", nodeapi.ReloadRequest{ModelRef: "file:better"}); err != nil || got.State != "ready" {
		t.Fatalf("reload: %+v, %v", got, err)
	}
	if last := lastEvent(running); last.Type != nodeapi.EventEnd {
		t.Errorf("the task that ran during the reload ended with %+v", last)
	}
	if s := r.status(t, "p"); s.ModelRef != "file:better" || old.Alive() {
		t.Errorf("after the reload: %+v, the old engine alive: %v", s, old.Alive())
	}
	if _, err := r.client.Reload(t.Context(), "p", nodeapi.ReloadRequest{ModelRef: "file:bad"}); statusOf(err) != 409 {
		t.Errorf("a model that does not start: got %v, want 409", err)
	}
	if s := r.status(t, "p"); s.ModelRef != "file:better" || !s.Ready || !strings.Contains(s.LastError, "exit") {
		t.Errorf("after the rollback: %+v", s)
	}
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 2, ModelRef: "file:better"}); err != nil {
		t.Errorf("after the rollback: %v", err)
	}
	if _, err := r.client.Reload(t.Context(), "p", nodeapi.ReloadRequest{ModelRef: "file:../etc/passwd"}); statusOf(err) != 422 {
		t.Errorf("a hostile reference: got %v, want 422", err)
	}
}

func TestPreloadOfSomethingElseIsRefused(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates = append(o.Templates, scripted("sleep 60")) })
	r.ready(t, "p", "demo", "")
	for want, request := range map[int]nodeapi.PreloadRequest{
		409: {Template: "script"},
		404: {Template: "/bin/sh"},
		422: {Template: "demo", ModelRef: "--api-key=x"},
	} {
		if _, err := r.client.Preload(t.Context(), "p", request); statusOf(err) != want {
			t.Errorf("%+v: got %v, want %d", request, err, want)
		}
	}
}

func TestAnOperatorsPreloadSkipsTheBackOff(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates = []Template{scripted("exit 1")}
		o.times.restartFirst = time.Hour
	})
	again := func() {
		t.Helper()
		if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "script", WaitMS: 10_000}); err != nil {
			t.Fatal(err)
		}
	}
	again()
	testkit.Eventually(t, "the failure", func() bool { return r.status(t, "p").State == "failed" })
	again()
	testkit.Eventually(t, "the second try", func() bool { return r.status(t, "p").Restarts == 1 })
}

func TestOrphansOfAKilledRunAreEndedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	runtime, err := openRuntimeDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	start := func(script, marker string) *proc.Process {
		p, err := proc.Start(proc.Spec{Command: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}, Marker: marker})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Terminate(0) })
		return p
	}
	recorded, unrecorded := start("exec sleep 300", "lost"), start("exec sleep 301", runtime.marker("p"))
	if err := runtime.remember(record{PoolID: "p", Proc: recorded.Identity()}); err != nil {
		t.Fatal(err)
	}
	runtime.close() // what the kernel does for one that was killed
	r := startRig(t, func(o *Options) { o.RuntimeDir = dir })
	testkit.Receive(t, recorded.Done(), "the end of the recorded engine")
	testkit.Receive(t, unrecorded.Done(), "the end of the other engine")
	if left, _ := filepath.Glob(filepath.Join(dir, "processes", "*")); len(left) != 0 {
		t.Errorf("records left: %v", left)
	}
	r.ready(t, "p", "demo", "")
}

func TestStopLeavesNoProcessWhateverItsEngineDoes(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates = append(o.Templates, scripted(`trap "" TERM; setsid sleep 300 & while :; do sleep 60; done`))
	})
	r.ready(t, "p", "demo", "")
	if _, err := r.client.Preload(t.Context(), "q", nodeapi.PreloadRequest{Template: "script"}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "both engines", func() bool { return r.status(t, "q").Live })
	begin := time.Now()
	if err := r.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > stopLimit {
		t.Errorf("the stop took %v", took)
	}
	if n := proc.EndMarked(r.dir.id + "/"); n != 0 {
		t.Errorf("%d processes were left", n)
	}
}
