//go:build linux

package proc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/proc"
)

// parentEnv makes the test binary play a parent that is killed: it starts one
// child that starts another, prints the first one's identity, and waits.
const parentEnv = "PROC_TEST_PARENT"

func TestMain(m *testing.M) {
	if marker := os.Getenv(parentEnv); marker != "" {
		p, err := proc.Start(proc.Spec{Command: sh("setsid sh -c 'echo up; exec sleep 300' & sleep 300"), Env: path(), Output: os.Stdout, Marker: marker})
		if err != nil {
			panic(err)
		}
		json.NewEncoder(os.Stdout).Encode(p.Identity())
		<-p.Done()
		return
	}
	os.Exit(m.Run())
}

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }
func path() []string            { return []string{"PATH=" + os.Getenv("PATH")} }

func start(t *testing.T, script string) (*proc.Process, *testkit.Buffer) {
	t.Helper()
	out := &testkit.Buffer{}
	p, err := proc.Start(proc.Spec{Command: sh(script), Env: path(), Output: out, Marker: "test/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Terminate(0) })
	return p, out
}

// pids reads the numbers that the script printed, and waits for all n of them.
func pids(t *testing.T, out *testkit.Buffer, n int) []int {
	t.Helper()
	testkit.Eventually(t, "the pids", func() bool { return strings.Count(out.String(), "\n") >= n })
	var list []int
	for word := range strings.FieldsSeq(out.String()) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, pid)
	}
	return list
}

// running is false for a zombie: nothing of it runs.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z")
}

func TestTerminateEndsTheWholeGroup(t *testing.T) {
	p, out := start(t, "sleep 300 & echo $!; wait")
	child := pids(t, out, 1)[0]
	p.Terminate(5 * time.Second)
	if got := p.State().Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGTERM {
		t.Errorf("ended by %v, want TERM", got)
	}
	testkit.Eventually(t, "the grandchild to be gone", func() bool { return !running(child) })
}

func TestAProcessThatIgnoresTermIsKilled(t *testing.T) {
	p, out := start(t, `trap "" TERM; echo 1; while :; do sleep 300; done`)
	pids(t, out, 1)
	p.Terminate(20 * time.Millisecond)
	if got := p.State().Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGKILL {
		t.Errorf("ended by %v, want KILL", got)
	}
}

func TestOrphansOfTheGroupsLeaderAreKilled(t *testing.T) {
	p, out := start(t, `sleep 300 & echo $!; exit 3`)
	child := pids(t, out, 1)[0]
	testkit.Receive(t, p.Done(), "the end of the process")
	if got := p.State().ExitCode(); got != 3 {
		t.Errorf("exit code: got %d, want 3", got)
	}
	testkit.Eventually(t, "the grandchild to be gone", func() bool { return !running(child) })
}

// TestTheGroupOfAnEarlierRunIsAskedToEnd, every process of it: an engine gets the time to
// close its files, before it is killed.
func TestTheGroupOfAnEarlierRunIsAskedToEnd(t *testing.T) {
	p, out := start(t, `trap 'echo leader; wait; exit' TERM
(trap 'echo child; exit' TERM; echo up; while :; do sleep 300 & wait; done) & wait; wait`)
	testkit.Eventually(t, "the child", func() bool { return strings.Contains(out.String(), "up") })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Identity().End(context.Background(), testkit.Limit)
	}()
	testkit.Eventually(t, "both to be told", func() bool {
		return strings.Contains(out.String(), "leader") && strings.Contains(out.String(), "child")
	})
	testkit.Receive(t, p.Done(), "the end of the process")
	testkit.Receive(t, ended, "the answer of End")
}

func TestAProcessInheritsNoEnvironment(t *testing.T) {
	t.Setenv("LLORCH_API_TOKEN", "canary-canary-canary-canary-canary")
	p, out := start(t, "/usr/bin/env")
	testkit.Receive(t, p.Done(), "the end of the process")
	if strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), proc.MarkerName+"=test/") {
		t.Errorf("the child's environment:\n%s", out)
	}
}

func TestAMissingProgramIsAnError(t *testing.T) {
	if _, err := proc.Start(proc.Spec{Command: []string{"/nonexistent/engine"}}); err == nil {
		t.Error("got no error")
	}
	if _, err := proc.Start(proc.Spec{}); err == nil {
		t.Error("no command: got no error")
	}
}

func TestAProcessDiesWithItsParent(t *testing.T) {
	const marker = "test-killed-parent/x"
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), parentEnv+"="+marker)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proc.EndMarked("test-killed-parent/") })
	var child proc.Identity
	for lines, seen := bufio.NewScanner(out), 0; seen < 2 && lines.Scan(); seen++ {
		if lines.Text() != "up" {
			if err := json.Unmarshal(lines.Bytes(), &child); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !child.Alive() {
		t.Fatal("the child does not run")
	}
	command.Process.Kill()
	command.Wait()
	testkit.Eventually(t, "the kernel to kill the child", func() bool { return !child.Alive() })
	if got := proc.EndMarked("test-killed-parent/"); got < 1 {
		t.Errorf("marked processes found: got %d, want at least the one that left the group", got)
	}
	if got := proc.EndMarked("test-killed-parent/"); got != 0 {
		t.Errorf("%d marked processes were left", got)
	}
}

func TestAnIdentityWithAnotherStartTimeIsLeftAlone(t *testing.T) {
	p, _ := start(t, "exec sleep 300")
	wrong := p.Identity()
	wrong.StartTicks++
	if wrong.Alive() {
		t.Error("a process with another start time counts as the same")
	}
	wrong.End(t.Context(), 0)
	if !p.Identity().Alive() {
		t.Fatal("a process with another start time was ended")
	}
	p.Identity().End(context.Background(), 5*time.Second)
	testkit.Receive(t, p.Done(), "the end of the process")
}

func TestAnEmptyMarkerFindsNothing(t *testing.T) {
	if got := proc.EndMarked(""); got != 0 {
		t.Errorf("ended %d processes", got)
	}
}

// TestAReusedPidIsNeverSignalled: the process has ended and was reaped.
func TestAReusedPidIsNeverSignalled(t *testing.T) {
	p, err := proc.Start(proc.Spec{Command: sh("read line"), Env: path()}) // its input is empty
	if err != nil {
		t.Fatal(err)
	}
	testkit.Receive(t, p.Done(), "the end of the process")
	if err := p.Hold(func(pid int) error { t.Errorf("pid %d was given away", pid); return nil }); err != nil {
		t.Error(err)
	}
	p, err = proc.Start(proc.Spec{Command: sh("sleep 300"), Env: path()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Terminate(0)
	held := 0
	if err := p.Hold(func(pid int) error { held = pid; return os.ErrInvalid }); err != os.ErrInvalid || held != p.Identity().PID {
		t.Errorf("a running process: got pid %d, %v", held, err)
	}
}
